import { TailmixError } from 'tailmix';

const wrong = (expected: string, got: string, cure: string): TailmixError =>
  new TailmixError(`[m2m] ${expected}; got ${got}. ${cure}`, { code: 'M2M', kind: 'config', plugin: 'm2m' });

/** There is nothing that says whether a translated image is of its new class. */
export const classifierNeeded = (): TailmixError =>
  wrong(
    'classifier: expected a run, a checkpoint or, with `model`, a file of weights',
    'none',
    'Train one first, without m2m and with the same classes.',
  );

/** The classifier tells other classes apart. */
export const classesDiffer = (classifier: number, run: number): TailmixError =>
  wrong(
    `classifier: expected a network for the ${run} classes of the run, in their order`,
    `one for ${classifier === run ? 'others' : classifier}`,
    'Choose one that was trained on these classes.',
  );

/** Partners' images come along from other replicas, which have them as they were. */
export const pairsGlobal = (): TailmixError =>
  wrong(
    'train.pairs: expected perReplica, since a replica has no translated images of others',
    'global',
    'Leave train.pairs out.',
  );

/** Nothing can be translated in a run whose rows are features. */
export const pixelsNeeded = (): TailmixError =>
  wrong('train.features: expected pixels, which are translated', 'rows of features', 'Set train.features: off.');
