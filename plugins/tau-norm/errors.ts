import { TailmixError } from 'tailmix';

/** A model of the user's own that keeps its classifier under other names. */
export const classifierMissing = (plugin: string, model: string): TailmixError =>
  new TailmixError(
    `[${plugin}] expected a model with the weight classifier/kernel, [features, classes]; ${model} has none of that name. Name its classifier's weights classifier/kernel and classifier/bias.`,
    { code: 'MODEL_WEIGHTS', kind: 'config', plugin },
  );
