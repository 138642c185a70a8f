import { messageOf, TailmixError } from '../errors.ts';

const AGAIN = 'Start all processes again: they go on from the last checkpoint.';

/** Processes that did not come. */
export const peersMissing = (rank: number, missing: string, seconds: number): TailmixError =>
  new TailmixError(
    `cluster, rank ${rank}: expected all processes within ${seconds} s, got no answer from ${missing}.\n` +
      '  Check that they were started, with the same list of addresses, and that the network lets this machine reach their ports. TAILMIX_CLUSTER_WAIT is how long to wait, in seconds.',
    { code: 'CLUSTER_PEERS', kind: 'again' },
  );

/** Processes that are gone, or do not answer any more. */
export const peersLost = (rank: number, lost: string, cause: unknown): TailmixError =>
  new TailmixError(`cluster, rank ${rank}: ${lost}. ${AGAIN}`, { code: 'CLUSTER_LOST', kind: 'again', cause });

/** A step that was not done in time although all processes answer. */
export const peersLate = (rank: number, seconds: number, said: string, cause: unknown): TailmixError =>
  new TailmixError(
    `cluster, rank ${rank}: expected a step within ${seconds} s; all processes answer, but TensorFlow says: ${said}\n` +
      `  ${AGAIN} Where a process needs longer than that between two steps, TAILMIX_CLUSTER_TIMEOUT is the limit in seconds.`,
    { code: 'CLUSTER_LATE', kind: 'again', cause },
  );

/** Processes that are not of one run. */
export const processesDiffer = (what: string, one: [string, string], other: [string, string]): TailmixError =>
  new TailmixError(
    `cluster: expected the same ${what} in all processes; ${one[0]} has ${one[1]}, ${other[0]} has ${other[1]}.\n` +
      '  Start all of them from the same installation, config and data.',
    { code: 'CLUSTER_DIFFERS', kind: 'config' },
  );

/** Processes whose weights are no longer the same. */
export const statesDiffer = (epoch: number, tensor: string, one: string, other: string): TailmixError =>
  new TailmixError(
    `cluster, epoch ${epoch}: expected the same state in all processes; ${JSON.stringify(tensor)} of ${other} differs from that of ${one}.\n` +
      '  A plugin decides by something else than (seed, epoch, step), or a machine computes wrongly. The last checkpoint is from before.',
    { code: 'CLUSTER_STATE' },
  );

/** The port of this process cannot be had. */
export const serverRefused = (rank: number, address: string, cause: unknown): TailmixError =>
  new TailmixError(
    `cluster, rank ${rank}: expected to listen at ${address}; TensorFlow says: ${messageOf(cause)}\n` +
      '  Is the port taken, by another run or by one that has not ended? Choose another.',
    { code: 'CLUSTER_SERVER', kind: 'again', cause },
  );

/** A number of seconds in the environment. */
export const secondsInvalid = (name: string, value: string): TailmixError =>
  new TailmixError(`${name}: expected a number of seconds above 0, got ${JSON.stringify(value)}.`, {
    code: 'ENVIRONMENT',
    kind: 'config',
  });

/** What says which process of a cluster this is makes no sense. */
export const workersInvalid = (expected: string, got: string): TailmixError =>
  new TailmixError(`--cluster: expected ${expected}, got ${got}.`, { code: 'CLUSTER_WORKERS', kind: 'config' });

/** Nothing says which process of a cluster this is. */
export const notAMember = (isBatch: boolean): TailmixError =>
  new TailmixError(
    `--cluster: expected --workers and --worker, or to be started by srun, mpirun or Kubeflow (TF_CONFIG); nothing says which process this is.\n  ${
      isBatch
        ? 'This is a batch script of Slurm: put srun before the command.'
        : 'To try it on this machine, use --cluster --local 2.'
    }`,
    { code: 'CLUSTER_MEMBER', kind: 'config' },
  );

/** This machine can be reached from outside. */
export const networkOpen = (name: string, address: string, isLocal: boolean): TailmixError =>
  new TailmixError(
    `--cluster: expected a machine in a private network; its interface ${name} has the address ${address}. TensorFlow's server listens on all interfaces, asks for no password, and runs whatever is sent to it.\n${
      isLocal
        ? '  One process gives the same bits at about the same speed: leave out --cluster --local, train.replicas stays. '
        : '  '
    }If a firewall keeps its ports from others, say so: --open-network.`,
    { code: 'CLUSTER_NETWORK', kind: 'config' },
  );

/** A setting that a run on several processes cannot have. */
export const clusterSetting = (path: string, expected: string, got: string): TailmixError =>
  new TailmixError(`--cluster: expected ${path} to be ${expected}, got ${got}.`, {
    code: 'CLUSTER_SETTING',
    kind: 'config',
    path,
  });

/** A flag that belongs to another. */
export const clusterFlag = (flag: string, needs: string): TailmixError =>
  new TailmixError(`${flag}: expected ${needs} too.`, { code: 'CLUSTER_FLAG', kind: 'config' });

/** The folder of another run. */
export const clusterOut = (directory: string): TailmixError =>
  new TailmixError(
    `--out ${directory}: expected no run there, or one of this config, which would be resumed; that one has other settings. Choose another folder.`,
    {
      code: 'CLUSTER_OUT',
      kind: 'config',
    },
  );
