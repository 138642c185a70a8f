import type { ComposedPhase, PhasePart } from '../compose/compose-run.ts';
import { isParameter, isTrained } from '../models/kinds.ts';
import type { WeightSpec } from '../models/types.ts';
import { LOGITS, plainLoss } from '../step/loss.ts';
import { createOptimizer } from '../step/optimizers.ts';
import type { Loss } from '../step/types.ts';
import { fileSize } from '../util/file-size.ts';
import { grouped } from '../util/grouped.ts';
import { numbersIn } from '../util/shape.ts';
import { countTuned, type Described } from './describe-run.ts';

/** Titles of what plugins add to the loss. */
const PARTS = {
  scored: 'scored',
  terms: 'terms',
  penalties: 'penalties',
  figures: 'figures',
  perSample: 'per sample',
} as const satisfies Partial<Record<keyof Loss, string>>;

/**
 * What plugins make of model, loss and update, for the plan: weights that they add, parts of the loss, the number of
 * parameters, and the memory of everything that is kept from step to step. For that it calls taps of `buildLoss` and
 * `buildUpdate`; what one of them throws is left to the run.
 *
 * @returns titles and texts
 */
export function planParts({
  models,
  trained,
  settings,
  rules,
  composition,
}: ComposedPhase<PhasePart & Described>): [title: string, text: string][] {
  const { base, model } = models;
  const own = new Set(base.weights.map(({ name }) => name));
  const added = new Map<string, WeightSpec[]>();
  for (const weight of model.weights) {
    const plugin = weight.name.split('/')[0]!;
    if (!own.has(weight.name)) added.set(plugin, [...(added.get(plugin) ?? []), weight]);
  }
  const { all, trained: learned } = countTuned(model, trained.frozen);
  const loss = attempt(() => composition.hooks.buildLoss.call(plainLoss()));
  const slots = attempt(() => {
    const update = composition.hooks.buildUpdate.call(createOptimizer(settings.train.optimizer, rules));
    const learns = model.weights.filter((weight) => isTrained(weight, trained.frozen));
    return numbersIn(update.slots(learns, model.weights));
  });
  const weights = numbersIn(model.weights);
  return [
    ...[...added].map(([plugin, specs]): [string, string] => [
      'adds',
      `${plugin}: ${counted(specs.length, 'array')}, ${grouped(numbersIn(specs.filter(isParameter)))} parameters`,
    ]),
    ...(loss ? partsOf(loss) : []),
    ['parameters', `${grouped(all)}, ${learned === all ? 'all' : grouped(learned)} trained`],
    [
      'state',
      slots === null
        ? `weights ${bytesOf(weights)}`
        : `${bytesOf(weights + slots)}: weights ${bytesOf(weights)}, optimizer and plugins ${bytesOf(slots)}`,
    ],
  ];
}

const partsOf = (loss: Loss): [string, string][] =>
  (Object.keys(PARTS) as (keyof typeof PARTS)[]).flatMap((part): [string, string][] => {
    const names = Object.keys(loss[part]);
    const isPlain = names.length === 0 || (part === 'scored' && names.length === 1 && names[0] === LOGITS);
    return isPlain ? [] : [[PARTS[part], names.join('  ')]];
  });

function attempt<T>(compute: () => T): T | null {
  try {
    return compute();
  } catch {
    return null;
  }
}

const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;

/** Of float32 numbers. */
const bytesOf = (numbers: number): string => fileSize(4 * numbers);
