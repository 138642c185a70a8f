import { TailmixError } from 'tailmix';

/** A model that has none of the weights that a plugin would train. */
export const nothingToTune = (plugin: string, model: string, weights: string): TailmixError =>
  new TailmixError(
    `${plugin}: expected a model with ${weights}; ${model} has none that are named so. Choose another model or plugin.`,
    { code: 'NOTHING_TO_TUNE', kind: 'config', plugin },
  );
