import { TailmixError } from 'tailmix';

/** Slopes that are measured by differences drown in bfloat16's rounding. */
export const halfPrecision = (): TailmixError =>
  new TailmixError(
    '[meta-weight-net] train.precision: expected fp32, since small differences of losses are measured; got bf16.',
    { code: 'META_PRECISION', kind: 'config', plugin: 'meta-weight-net' },
  );
