import { isTrained } from '../models/kinds.ts';
import { type ExtendedModel, selectWeights } from '../models/transfer.ts';
import type { WeightSpec } from '../models/types.ts';
import { groupEmpty, noLayers } from './errors.ts';
import type { OptimizerOptions } from './options.ts';

/** How a weight is updated where it is not as the optimizer's options say. */
export interface WeightRule {
  /** Of the learning rate. */
  factor: number;
  weightDecay: number;
}

/** By name of the weight. */
export type WeightRules = ReadonlyMap<string, WeightRule>;

/** The stage and block, or the block, that a weight belongs to. */
const LAYER = /(?:^|\/)(stage\d+(?:\/block\d+)?|block\d+)(?:\/|$)/;

const layerOf = (name: string): string | undefined => LAYER.exec(name)?.[1];

/** Layers of a model, in the order of the forward pass. */
const layersOf = (weights: readonly WeightSpec[]): string[] => [
  ...new Set(weights.flatMap(({ name }) => layerOf(name) ?? [])),
];

/**
 * Depth of each weight: 0 before the first block, 1 in it and so on; one more than the last block's after it. Weights of
 * plugins have the depth of the block that their name has.
 */
function depthsOf({ base, model }: ExtendedModel, layers: readonly string[]): (name: string) => number {
  const first = base.weights.findIndex(({ name }) => layerOf(name) !== undefined);
  const before = new Set(base.weights.slice(0, first).map(({ name }) => name));
  const depths = new Map(
    model.weights.map(({ name }) => {
      const layer = layerOf(name);
      const outside = before.has(name) ? 0 : layers.length + 1;
      return [name, layer === undefined ? outside : layers.indexOf(layer) + 1];
    }),
  );
  return (name) => depths.get(name)!;
}

/** What `train.optimizer` says of single weights. */
export interface Grouping {
  rules: WeightRules;
  /** For the plan; empty where all weights are alike. */
  notes: string[];
}

/**
 * Learning rate and weight decay of each trained weight, as PyTorch's parameter groups would have them.
 *
 * @throws {TailmixError} MODEL_WEIGHTS, OPTIMIZER_GROUP
 */
export function groupWeights(
  { learningRate, weightDecay, groups = [], noDecay = [], layerDecay = 1 }: OptimizerOptions,
  models: ExtendedModel,
  frozen: ReadonlySet<string>,
): Grouping {
  const trained = models.model.weights.filter((weight) => isTrained(weight, frozen));
  const taken = new Map<string, { rate: number; decay: number }>();
  const notes: string[] = [];
  groups.forEach(({ match, ...own }, i) => {
    const named = selectWeights(models, [match], `train.optimizer.groups[${i}].match`);
    const members = trained.filter(({ name }) => named.has(name) && !taken.has(name));
    if (members.length === 0) throw groupEmpty(i, match, named.size);
    const rule = { rate: own.learningRate ?? learningRate, decay: own.weightDecay ?? weightDecay };
    for (const { name } of members) taken.set(name, rule);
    notes.push(`${match}: learning rate ${rule.rate}, weight decay ${rule.decay} (${arrays(members.length)})`);
  });
  const isSpared = ({ kind }: WeightSpec): boolean => (noDecay as readonly string[]).includes(kind);
  if (noDecay.length > 0) {
    const kinds = noDecay.map((kind) => ({ norm: 'norms', bias: 'biases' })[kind]).join(' and ');
    notes.push(`${kinds}: no weight decay (${arrays(trained.filter(isSpared).length)})`);
  }
  const layers = layerDecay === 1 ? [] : layersOf(models.base.weights);
  if (layerDecay !== 1) {
    if (layers.length === 0) throw noLayers(models.base.name);
    notes.push(`layer decay: learning rates × ${layerDecay} for each of ${layers.length + 1} layers below the top`);
  }
  const depthOf = depthsOf(models, layers);
  const rules = trained.map((weight): [string, WeightRule] => {
    const { rate, decay } = taken.get(weight.name) ?? { rate: learningRate, decay: weightDecay };
    const below = layerDecay === 1 ? 0 : layers.length + 1 - depthOf(weight.name);
    return [
      weight.name,
      { factor: (rate / learningRate) * layerDecay ** below, weightDecay: isSpared(weight) ? 0 : decay },
    ];
  });
  return { rules: new Map(notes.length > 0 ? rules : []), notes };
}

const arrays = (count: number): string => `${count} ${count === 1 ? 'array' : 'arrays'}`;
