import { z } from 'zod';

/** Set by a sweep for each of its runs to a {@link SweepMembership} as JSON. */
export const SWEEP_VARIABLE = 'TAILMIX_SWEEP';

const membership = z.object({
  /** Of the sweep, absolute. */
  directory: z.string(),
  /** Identity of the sweep as a run of its own that its runs are a part of. */
  uid: z.string(),
  name: z.string(),
  /** What tells the run from others of its method: `kappa=4 seed 1`. */
  variation: z.string(),
});

/** What a run knows of the sweep that it is a part of. */
export type SweepMembership = z.infer<typeof membership>;

/** The sweep that this process is a run of; null for none. */
export function sweepMembership(
  env: Readonly<Record<string, string | undefined>> = process.env,
): SweepMembership | null {
  const text = env[SWEEP_VARIABLE];
  if (!text) return null;
  try {
    return membership.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
