import type { Classifier } from '../classifier.ts';
import { opNotMapped } from '../errors.ts';
import type { ExportedFile } from '../files.ts';
import { PORTS, resultsOf } from '../graph-nodes.ts';
import { createBuilder } from './builder.ts';
import { mappings } from './ops.ts';
import { photoModel } from './photo.ts';
import { type OnnxModel, type OnnxPort, onnxBytes } from './proto.ts';

/** What images an ONNX file takes: unlike the other formats it has one type. */
export const imageTypes = ['uint8', 'float32'] as const;
export type ImageType = (typeof imageTypes)[number];

/** Name of the unknown length. */
const BATCH = 'batch';

/**
 * The classifier as `model.onnx`, with what makes its input of a photo.
 *
 * @param content - of `model.onnx`. Default: the graph in float32.
 */
export const onnxModel = (
  classifier: Classifier,
  images: ImageType,
  content: Uint8Array = onnxBytes(onnxGraph(classifier, images)),
): ExportedFile[] => [{ path: 'model.onnx', content }, ...photoModel(classifier, images)];

/** An ONNX graph, and what its shapes say. */
export interface OnnxGraph extends OnnxModel {
  /** Results of products of two matrices. */
  matrices: ReadonlySet<string>;
}

/**
 * The classifier as an ONNX graph. Images come in `[batch, height, width, channels]`; convolutions and what lies between
 * them work channels first, with kernels transposed here.
 *
 * @throws {TailmixError} EXPORT_OP naming an op that is not mapped.
 */
export function onnxGraph(classifier: Classifier, images: ImageType): OnnxGraph {
  const { recording, imageShape, packShape, classes, about } = classifier;
  const builder = createBuilder(recording);
  const matrices = new Set<string>();
  for (const [node, recorded] of recording.nodes.entries()) {
    const from = { node, output: 0 };
    if (recorded.kind === 'input') builder.set(from, { name: PORTS.images, layout: 'tensorflow' });
    if (recorded.kind !== 'op') continue;
    const mapping = mappings[recorded.op];
    if (mapping === undefined) throw opNotMapped('ONNX', recorded.op, '', recorded.owner);
    if (recorded.inputs.some(({ output }) => output > 0)) {
      throw opNotMapped('ONNX', recorded.op, ' of a second output', recorded.owner);
    }
    const value = mapping(recorded, builder);
    builder.set(from, value);
    if (recorded.op === 'BatchMatMulV2' && builder.shapeOf(from).length === 2) matrices.add(value.name);
  }
  const results = resultsOf(classifier);
  return {
    matrices,
    name: about.name,
    producer: { name: 'tailmix', version: about.tailmix },
    nodes: [
      ...builder.nodes,
      ...results.map(({ name }) => ({
        op: 'Identity',
        inputs: [builder.get(recording.outputs[name]!, 'tensorflow')],
        outputs: [name],
        attributes: {},
      })),
    ],
    constants: builder.constants,
    inputs: [{ name: PORTS.images, type: images, shape: [BATCH, ...imageShape] }],
    outputs: results.map(({ name, length }): OnnxPort => ({ name, type: 'float32', shape: [BATCH, length] })),
    metadata: {
      classes: JSON.stringify(classes),
      imageShape: JSON.stringify(imageShape),
      ...(packShape && { packShape: JSON.stringify(packShape) }),
      run: about.name,
      dataset: about.dataset,
      epoch: String(about.epoch),
      model: about.model,
    },
  };
}
