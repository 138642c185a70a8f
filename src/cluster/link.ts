import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClusterModule, loadClusterModule } from '../backend/cluster-module.ts';
import { messageOf, TailmixError } from '../errors.ts';
import { type Session, withModelFolder } from '../graph/index.ts';
import { peersLate, peersLost, secondsInvalid, serverRefused } from './errors.ts';
import { type Membership, named } from './membership.ts';
import { lostPeers, waitForPeers } from './probe.ts';
import { configProto, runOptions, serverDef, sumModel } from './protocol.ts';

/** What a process of a cluster has of the others. */
export interface Link extends Membership {
  /** How many there are. */
  readonly processes: number;
  /** The process that was asked to stop, known to all after the same step; null: none was. */
  stoppedBy: number | null;
  /** Sums, element by element and modulo 2³², what each process gives; all give as many. Bits that one alone gives survive. */
  sum(values: Int32Array): Int32Array;
  /** {@link sum} where others may come late: they read data, or write a checkpoint. */
  wait(values: Int32Array): Int32Array;
  /** Loads the bytes of a `saved_model.pb` into a session that can reach the others. */
  openSession(model: Uint8Array, options?: { remapping?: boolean }): Session;
  /** What an error means where the connection broke: who is gone. Else the error itself. */
  explain(error: unknown): Promise<unknown>;
  /** Ends together with the others. */
  leave(): Promise<void>;
}

/** Lengths of the vectors that are summed at once: for a few numbers, and for many. */
const LENGTHS = [64, 2 ** 18] as const;

/** What TensorFlow's codes are that a lost connection or a time limit gives: CANCELLED, DEADLINE_EXCEEDED, ABORTED, UNAVAILABLE. */
const BROKEN = new Set(['1', '4', '10', '14']);

/** What TensorFlow says, with any code, where another process has given up first. */
const ABORTED = 'Collective ops is aborted by';

/** Time limits of a first run, and of what waits for others to read data or write checkpoints: of a step's. */
const PATIENCE = 10;

/** How long the server of a process that fails stays, so that the others can see who failed first. */
const LINGER_MS = 3000;

/**
 * Starts this process's server and waits for those of the others.
 *
 * @param tell - is told once where the server listens, and for whom it waits
 * @throws {TailmixError} CLUSTER_MODULE, CLUSTER_SERVER, CLUSTER_PEERS
 */
export async function join(
  membership: Membership,
  { tell, signal }: { tell: (line: string) => void; signal?: AbortSignal },
): Promise<Link> {
  const { rank, addresses } = membership;
  const module = loadClusterModule();
  const stepMs = 1000 * secondsOf('TAILMIX_CLUSTER_TIMEOUT', 60);
  const target = startServer(module, membership);
  tell(
    `cluster: rank ${rank} of ${addresses.length} (process ${process.pid}); TensorFlow's server listens on all interfaces at port ${addresses[rank]!.split(':').at(-1)}, and runs whatever is sent to it (docs/cluster.md)`,
  );
  await waitForPeers(membership, { seconds: secondsOf('TAILMIX_CLUSTER_WAIT', 600), tell, signal });

  const open: Link['openSession'] = (model, options) => {
    const config = configProto(rank, options);
    const id = withModelFolder(model, (folder, tag) => module.openSession(folder, tag, target, config));
    let isFirst = true;
    return {
      run(feeds, fetches, wanted) {
        const limit = isFirst ? PATIENCE * stepMs : stepMs;
        isFirst = false;
        const fetched = module.run(id, runOptions(limit), feeds, fetches);
        return wanted === undefined ? fetched : fetched.filter((_, index) => wanted[index]);
      },
      dispose: () => module.closeSession(id),
    };
  };
  const sums = withModelFolder(sumModel(LENGTHS, addresses.length), (folder, tag) =>
    module.openSession(folder, tag, target, configProto(rank)),
  );
  const sumWithin = (values: Int32Array, limit: Uint8Array): Int32Array => {
    const result = new Int32Array(values.length);
    const length = LENGTHS.find((one) => values.length <= one) ?? LENGTHS.at(-1)!;
    for (let start = 0; start < values.length; start += length) {
      const part = new Int32Array(length);
      part.set(values.subarray(start, start + length));
      const feed = { name: `x${length}:0`, shape: [length], values: part };
      const [summed] = module.run(sums, limit, [feed], [`sum${length}:0`]);
      result.set((summed!.values as Int32Array).subarray(0, values.length - start), start);
    }
    return result;
  };
  const wait: Link['wait'] = (values) => sumWithin(values, runOptions(PATIENCE * stepMs));
  return {
    ...membership,
    processes: addresses.length,
    stoppedBy: null,
    sum: (values) => sumWithin(values, runOptions(stepMs)),
    wait,
    openSession: open,
    async explain(error) {
      const broken = brokenBy(error);
      if (broken === null) return error;
      const lost = await lostPeers(membership);
      await delay(LINGER_MS);
      if (lost.length === 0) return peersLate(rank, stepMs / 1000, firstLine(broken), error);
      const said = lost.map(
        ({ rank: peer, answer }) =>
          `${named(membership, peer)} ${answer === 'gone' ? 'is gone: nobody listens at its port' : 'does not answer: it is stopped, or the network is cut'}`,
      );
      return peersLost(rank, said.join('; '), error);
    },
    async leave() {
      wait(new Int32Array(1));
      // TensorFlow's sums end by sending: the last one may not have arrived yet.
      await delay(rank === 0 ? 0 : 500);
    },
  };
}

function startServer(module: ClusterModule, membership: Membership): string {
  try {
    return module.startServer(serverDef(membership));
  } catch (error) {
    throw serverRefused(membership.rank, membership.addresses[membership.rank]!, error);
  }
}

/** The error of TensorFlow among an error and its causes that says that the connection is broken; null where there is none. */
export function brokenBy(error: unknown): Error | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as NodeJS.ErrnoException;
  if (!(error instanceof TailmixError) && (BROKEN.has(code ?? '') || error.message.includes(ABORTED))) return error;
  return brokenBy(error.cause);
}

const firstLine = (error: Error): string => messageOf(error).split('\n')[0]!;

function secondsOf(name: string, otherwise: number): number {
  const given = process.env[name];
  if (!given) return otherwise;
  const seconds = Number(given);
  if (!(seconds > 0)) throw secondsInvalid(name, given);
  return seconds;
}
