import { networkInterfaces } from 'node:os';
import { networkOpen, notAMember, workersInvalid } from './errors.ts';
import type { Membership } from './membership.ts';

/** What the command line says of a cluster. */
export interface ClusterFlags {
  /** `host:port,host:port,…`, by rank. */
  workers?: string | undefined;
  /** Rank of this process. */
  worker?: string | undefined;
}

/**
 * Which process of a cluster this is, by the first that says so: `--workers` and `--worker`, `TF_CONFIG` (Kubeflow's TFJob),
 * `SLURM_*` (`srun`), `OMPI_*` (`mpirun`, one machine).
 *
 * @param hostsOf - the addresses of Slurm's list of nodes, in its order
 * @throws {TailmixError} CLUSTER_WORKERS, CLUSTER_MEMBER
 */
export function detectMembership(
  { workers, worker }: ClusterFlags,
  env: NodeJS.ProcessEnv,
  hostsOf: (nodes: string) => string[],
): Membership {
  if (workers !== undefined || worker !== undefined) {
    if (workers === undefined || worker === undefined)
      throw workersInvalid('both --workers and --worker', 'one of them');
    return checked({
      rank: Number(worker),
      addresses: workers.split(',').map((text) => text.trim()),
      from: '--workers',
    });
  }
  if (env.TF_CONFIG) return checked(fromTfConfig(env.TF_CONFIG));
  if (Number(env.SLURM_STEP_NUM_TASKS) > 1 && env.SLURM_PROCID) return checked(fromSlurm(env, hostsOf));
  if (Number(env.OMPI_COMM_WORLD_SIZE) > 1) return checked(fromOpenMpi(env));
  throw notAMember(Number(env.SLURM_NTASKS) > 1);
}

function checked(membership: Membership): Membership {
  const { rank, addresses, from } = membership;
  const odd = addresses.find((address) => !/^[^\s:/]+:\d+$/.test(address) && !/^\[[\da-f:]+\]:\d+$/i.test(address));
  if (odd !== undefined) throw workersInvalid(`addresses host:port in ${from}`, JSON.stringify(odd));
  const twice = addresses.find((address, i) => addresses.indexOf(address) !== i);
  if (twice !== undefined) throw workersInvalid(`an address for each process in ${from}`, `${twice} twice`);
  if (addresses.length < 2) throw workersInvalid(`two processes or more in ${from}`, String(addresses.length));
  if (!Number.isInteger(rank) || rank < 0 || rank >= addresses.length) {
    throw workersInvalid(`a rank from 0 to ${addresses.length - 1} in ${from}`, String(rank));
  }
  return membership;
}

interface TfConfig {
  cluster?: Record<string, string[] | undefined>;
  task?: { type?: string; index?: number | string };
}

function fromTfConfig(text: string): Membership {
  let config: TfConfig;
  try {
    config = JSON.parse(text) as TfConfig;
  } catch {
    throw workersInvalid('JSON in TF_CONFIG', JSON.stringify(text.slice(0, 40)));
  }
  const { cluster = {}, task = {} } = config;
  const first = cluster.chief ?? cluster.master ?? [];
  if (cluster.ps?.length) throw workersInvalid('workers alone in TF_CONFIG', 'parameter servers (ps)');
  const [type, index] = [task.type ?? '', Number(task.index ?? 0)];
  if (!['chief', 'master', 'worker'].includes(type))
    throw workersInvalid('a chief or a worker in TF_CONFIG', JSON.stringify(type));
  const rank = type === 'worker' ? first.length + index : index;
  return { rank, addresses: [...first, ...(cluster.worker ?? [])], from: 'TF_CONFIG' };
}

/** Ports of a job: from its id, so that jobs that share a machine have others. */
const FIRST_PORT = 20_000;

function fromSlurm(env: NodeJS.ProcessEnv, hostsOf: (nodes: string) => string[]): Membership {
  const port = env.TAILMIX_PORT ? Number(env.TAILMIX_PORT) : FIRST_PORT + 16 * (Number(env.SLURM_JOB_ID) % 2500);
  // As 2(x3),1: three nodes of two tasks, one of one.
  const counts = (env.SLURM_STEP_TASKS_PER_NODE ?? '').split(',').flatMap((part) => {
    const [, tasks, nodes = '1'] = /^(\d+)(?:\(x(\d+)\))?$/.exec(part) ?? [];
    return Array.from({ length: Number(nodes) }, () => Number(tasks));
  });
  const hosts = hostsOf(env.SLURM_STEP_NODELIST ?? '');
  // By host, not by node: several nodes can be on one, as on a cluster to try things.
  const taken = new Map<string, number>();
  const addresses = hosts.flatMap((host, node) =>
    Array.from({ length: counts[node] ?? 0 }, () => {
      const local = taken.get(host) ?? 0;
      taken.set(host, local + 1);
      return `${host}:${port + local}`;
    }),
  );
  return { rank: Number(env.SLURM_PROCID), addresses, from: 'SLURM_*' };
}

function fromOpenMpi(env: NodeJS.ProcessEnv): Membership {
  const size = Number(env.OMPI_COMM_WORLD_SIZE);
  if (Number(env.OMPI_COMM_WORLD_LOCAL_SIZE) !== size) {
    throw workersInvalid(
      'all processes of mpirun on one machine',
      'several (it does not say which); use --workers and --worker',
    );
  }
  const port = env.TAILMIX_PORT ? Number(env.TAILMIX_PORT) : FIRST_PORT;
  const addresses = Array.from({ length: size }, (_, local) => `127.0.0.1:${port + local}`);
  return { rank: Number(env.OMPI_COMM_WORLD_RANK), addresses, from: 'OMPI_*' };
}

/** Private, shared (RFC 6598) and link-local addresses. */
const PRIVATE =
  /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|f[cd]|fe[89ab])/i;

/**
 * Refuses a machine with an address that others can reach from outside: TensorFlow's server listens at all of them.
 *
 * @throws {TailmixError} CLUSTER_NETWORK
 */
export function checkNetwork(
  isLocal: boolean,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): void {
  for (const [name, all = []] of Object.entries(interfaces)) {
    const open = all.find(({ internal, address }) => !internal && !PRIVATE.test(address));
    if (open) throw networkOpen(name, open.address, isLocal);
  }
}
