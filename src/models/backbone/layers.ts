import type { tf } from '../../tf.ts';
import { layerRefused } from './errors.ts';

/** A layer that holds no others, and where it is. */
export interface PlacedLayer {
  layer: tf.layers.Layer;
  /** Its name, with those of the models that it is in before it. */
  path: string;
}

/** All layers of a model, those of models in it too; a layer that is used twice is there once. */
export function leafLayers(model: tf.LayersModel, prefix = ''): PlacedLayer[] {
  const placed = model.layers.flatMap((layer): PlacedLayer[] => {
    const path = `${prefix}${layer.name}`;
    return 'layers' in layer ? leafLayers(layer as tf.LayersModel, `${path}/`) : [{ layer, path }];
  });
  return placed.filter(({ layer }, i) => placed.findIndex((other) => other.layer === layer) === i);
}

/** What is read of layers of several classes. */
interface LayerFields {
  axis?: number | number[];
  inputSpec?: readonly { ndim?: number }[];
  stateful?: boolean;
  dropout?: number;
  recurrentDropout?: number;
  cell?: LayerFields;
  layer?: tf.layers.Layer;
  forwardLayer?: tf.layers.Layer;
}

/** Layers that draw numbers in a way that no step could repeat. */
const DRAWING = new Set(['GaussianNoise', 'GaussianDropout', 'AlphaDropout', 'RandomWidth', 'RandomHeight']);

/**
 * Refuses a layer that would train otherwise than it says.
 *
 * @throws {TailmixError} BACKBONE_LAYER naming it.
 */
export function refuseLayer({ layer, path }: PlacedLayer, ignoreRegularizers: boolean): void {
  const type = layer.getClassName();
  const refuse = (what: string, remedy: string): never => {
    throw layerRefused(path, type, what, remedy);
  };
  const fields = layer as unknown as LayerFields;
  const inner = fields.layer ?? fields.forwardLayer;
  if (inner) refuseLayer({ layer: inner, path: `${path}/${inner.name}` }, ignoreRegularizers);
  const draws = [fields, fields.cell ?? {}].some(
    ({ dropout = 0, recurrentDropout = 0 }) => dropout + recurrentDropout > 0,
  );
  if (DRAWING.has(type) || draws) {
    refuse(
      'draws its own random numbers, which no run could repeat',
      'Take it out of the model; Dropout is supported.',
    );
  }
  if (
    inner &&
    (type === 'Dropout' || inner.getClassName() === 'Dropout' || inner.getClassName() === 'BatchNormalization')
  )
    refuse('holds a layer that works otherwise in training', 'Use that layer without a wrapper.');
  if (fields.stateful) refuse('is stateful: images of one step would change the next', 'Save it with stateful: false.');
  if (type === 'BatchNormalization' && !isLastAxis(layer, fields.axis as number)) {
    refuse(`normalises along axis ${fields.axis}`, 'Only the last axis is supported (channels last).');
  }
  const limits = Object.entries(layer).filter(([key, value]) => /(Regularizer|Constraint)$/.test(key) && value != null);
  const [limit] = limits;
  if (limit && layer.trainable && !ignoreRegularizers) {
    refuse(
      `has a ${limit[0]}, which a step of tailmix does not apply`,
      'Use weightDecay of the optimizer, or a plugin that adds a penalty, and say `regularizers: ignore`.',
    );
  }
}

function isLastAxis(layer: tf.layers.Layer, axis: number): boolean {
  const shape = Array.isArray(layer.outputShape[0]) ? layer.outputShape[0] : layer.outputShape;
  return axis === -1 || axis === shape.length - 1;
}
