import { hostname } from 'node:os';
import { displayPath, messageOf, systemCure, TailmixError } from '../errors.ts';
import type { Whereabouts } from '../util/process-identity.ts';
import type { SlurmAnswer } from '../util/slurm-job.ts';
import type { Found, Owner } from './ownership.ts';

/** A directory that another process writes to, or may write to. */
export const directoryOwned = (
  directory: string,
  owner: Found,
  where: Whereabouts,
  slurm: SlurmAnswer | null = null,
): TailmixError =>
  new TailmixError(`${directory}: expected a folder that no other process writes to; ${owned(owner, where, slurm)}`, {
    code: 'DIRECTORY_OWNED',
    kind: 'config',
  });

function owned(owner: Found, where: Whereabouts, slurm: SlurmAnswer | null): string {
  const unseen = 'If nothing writes to the folder any more, repeat the command with --take-over.';
  if (typeof owner === 'string') return `its owner.lock ${owner}. ${unseen}`;
  const { pid, host, since, job } = owner;
  if (where === 'here')
    return `process ${pid} on this machine (${host}) has owned it since ${since}. Wait until it ends, or end it with \`kill -INT ${pid}\`.`;
  const answer = job === null || slurm === null ? '' : ` Its Slurm job ${job.id} ${slurm.says}.`;
  const cure =
    slurm?.state === 'living'
      ? `Wait until the job ends, or end it with \`scancel ${job?.id}\`.`
      : `Whether it still runs cannot be seen from here (${hostname()}).`;
  return `process ${pid} ${placeOf(owner)} has owned it since ${since}.${answer} ${cure} ${unseen}`;
}

const placeOf = ({ host }: Owner): string => (host === hostname() ? `in another container on ${host}` : `on ${host}`);

/** What is said where the lock of an owner elsewhere is taken because its job has ended. */
export const takenFromEndedJob = (directory: string, owner: Owner, { says }: SlurmAnswer): string =>
  `${displayPath(directory)}: its owner was process ${owner.pid} ${placeOf(owner)}, whose Slurm job ${owner.job?.id} ${says}. Its lock is taken over.`;

/** What is said where something that is no lock was in the place of one. */
export const lockMovedAside = (path: string, found: string, aside: string): string =>
  `${displayPath(path)} ${found}, and was in the place of the lock. It is now ${displayPath(aside)}.`;

/** A directory that was taken from its owner. */
export const ownershipLost = (directory: string, owner: Found | null): TailmixError =>
  new TailmixError(
    `${directory}: expected to be its only writer; ${
      owner === null
        ? 'it was moved or deleted. Its checkpoints can be resumed where they are now.'
        : `${typeof owner === 'string' ? 'something' : `process ${owner.pid} on ${owner.host}`} has taken it over. This run ends here.`
    }`,
    { code: 'DIRECTORY_LOST' },
  );

/** A lock that the disk does not give back: nobody need have taken it. */
export const lockUnreadable = (path: string, cause: unknown): TailmixError =>
  new TailmixError(
    `${path}: could not be read (${messageOf(cause)}). ${systemCure(cause) ?? ''} The run can be resumed once it can.`,
    { code: 'LOCK_UNREADABLE', cause },
  );
