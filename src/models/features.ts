import { backboneEntry, headUnknown } from './errors.ts';
import { BIAS, classifier, KERNEL } from './heads.ts';
import { throughStages } from './stages.ts';
import { namesBackbone } from './transfer.ts';
import type { Model } from './types.ts';

/**
 * The classifier of a model as a model of its own, of rows of features, `[rows, 1, 1, D]`.
 *
 * @throws {TailmixError} FEATURES_HEAD where it is none of tailmix's.
 */
export function headModel(base: Model): Model {
  const { name, featureSize, head } = base;
  const weights = base.weights.filter((weight) => weight.name === KERNEL || weight.name === BIAS);
  const [inputs, classes] = weights.find((weight) => weight.name === KERNEL)?.shape ?? [];
  if (!head || classes === undefined || inputs !== featureSize) throw headUnknown(name);
  const bias = weights.some((weight) => weight.name === BIAS);
  const { apply } = classifier({ inputs, classes, head: head.kind, bias, scale: head.scale });
  return {
    name,
    weights,
    stages: ['input'],
    featureSize,
    head,
    forward(values, rows, pass) {
      const features = throughStages(pass, rows, []).reshape([-1, featureSize]);
      return { logits: apply(features, values), features, statistics: {} };
    },
  };
}

/**
 * Entries of `model.freeze` or `model.reset` that concern the classifier, and what plugins add to it.
 *
 * @throws {TailmixError} FEATURES_BACKBONE for a part of the backbone, which no row has seen.
 */
export function headEntries(base: Model, entries: readonly string[], option: 'freeze' | 'reset'): string[] {
  const own = entries.filter((entry) => !namesBackbone(base, entry));
  if (option === 'reset' && own.length < entries.length)
    throw backboneEntry(entries.find((entry) => namesBackbone(base, entry))!);
  return own;
}
