import { TailmixError } from 'tailmix';

const wrong = (expected: string, got: string, cure: string): TailmixError =>
  new TailmixError(`[deep-smote] ${expected}; got ${got}. ${cure}`, {
    code: 'DEEP_SMOTE',
    kind: 'config',
    plugin: 'deep-smote',
  });

/** Images would be made by an autoencoder that has learnt nothing. */
export const untrained = (): TailmixError =>
  wrong(
    'deferUntil: expected epochs in which the autoencoder learns, or a phase before in which it has',
    '0 in a run that begins with a drawn one',
    'Raise deferUntil, or put a phase with deep-smote before this one.',
  );

/** Partners' images come along from other replicas, which have them as they were. */
export const pairsGlobal = (): TailmixError =>
  wrong(
    'train.pairs: expected perReplica, since a replica has no images that others make',
    'global',
    'Leave train.pairs out.',
  );

/** Nothing can be encoded in a run whose rows are features. */
export const pixelsNeeded = (): TailmixError =>
  wrong(
    'train.features: expected pixels, which are encoded',
    'rows of features',
    'Set train.features: off, or use feature-smote.',
  );
