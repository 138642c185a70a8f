import { TailmixError } from 'tailmix';

/** A stage that the model does not have. */
export const unknownStage = (stage: string, modelStages: readonly string[]): TailmixError =>
  new TailmixError(
    `[manifold-mixup] stages: expected stages of the model (${modelStages.join(', ')}), got "${stage}". Leave it out, or choose another model.`,
    { code: 'STAGE_UNKNOWN', kind: 'config', plugin: 'manifold-mixup' },
  );
