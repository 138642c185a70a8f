import { remedyFor } from '../init/recipe.ts';

/** A plugin entry as YAML has it. */
export type Entry = { use: string } & Record<string, unknown>;

/** A method to compare: the config with these plugins in the place of its own remedies. */
export interface Candidate {
  /** Label in tables. */
  method: string;
  /** Name of its config, without `.yaml`. */
  file: string;
  plugins: readonly Entry[];
}

const mixup: Entry = { use: 'mixup', alpha: 0.2 };
const softmax: Entry = { use: 'balanced-softmax' };
const drw: Entry = { use: 'drw', deferUntil: 0.8 };

const erm: Candidate = { method: 'ERM', file: 'erm', plugins: [] };
const balanced: Candidate = { method: 'Balanced softmax', file: 'balanced-softmax', plugins: [softmax] };
const mixed: Candidate = {
  method: 'Balanced softmax, Mixup',
  file: 'balanced-softmax-mixup',
  plugins: [softmax, mixup],
};
const remix: Candidate = {
  method: 'Remix-DRW',
  file: 'remix-drw',
  plugins: [{ use: 'mixup', alpha: 1 }, { use: 'remix' }, drw],
};

/**
 * ERM and three remedies that fit a tail, by the rule of docs/which.md: first what `tailmix init` would choose.
 *
 * @param counts - images to train on per class, `[C]`
 */
export function candidatesFor(counts: readonly number[]): readonly Candidate[] {
  const chosen = remedyFor(counts).plugins;
  if (chosen.length === 0)
    return [
      erm,
      { method: 'Mixup', file: 'mixup', plugins: [mixup] },
      { method: 'Label smoothing', file: 'label-smoothing', plugins: [{ use: 'label-smoothing', smoothing: 0.1 }] },
      balanced,
    ];
  if (chosen.includes('mixup')) return [erm, mixed, balanced, remix];
  return [erm, balanced, { method: 'DRW', file: 'drw', plugins: [drw] }, remix];
}
