import { TailmixError } from 'tailmix';

/** A mixer that does more than mix a batch. */
export const notChoosable = (mixer: string, hook: string): TailmixError =>
  new TailmixError(
    `[choose] of: expected mixers that tap onBatch or computeTargets alone; ${mixer} taps ${hook} too, which cannot be drawn per batch. Make it an entry of the run, without choose.`,
    { code: 'NOT_CHOOSABLE', kind: 'config', plugin: 'choose' },
  );
