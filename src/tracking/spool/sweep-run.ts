import { version } from '../../version.ts';
import type { SweepMembership } from '../sweep-membership.ts';
import { whileSending } from './locks.ts';
import { hasSpool } from './read.ts';
import { openSpool, type Texts } from './write.ts';

/**
 * Makes the run that stands for a sweep, if none of its runs did before: a spool in the sweep's directory, in the
 * experiment of its runs.
 *
 * @throws {Error} what the file system throws.
 */
export const ensureSweepRun = (
  { directory, uid, name }: SweepMembership,
  { experiment, tags, experimentTags }: { experiment: string; tags: Texts; experimentTags: Texts },
): Promise<void> =>
  whileSending(directory, async () => {
    if (hasSpool(directory)) return;
    const first = () => ({
      time: Date.now(),
      uid,
      experiment,
      name,
      experimentTags,
      tags: { ...tags, 'tailmix.version': version, 'tailmix.sweep': name },
    });
    const spool = openSpool(directory, first, (error) => {
      throw error;
    });
    spool.close();
  });
