import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { checkNetwork } from '../cluster/detect.ts';
import { clusterFlag } from '../cluster/errors.ts';
import { TRY_AGAIN } from '../errors.ts';
import { launcher } from '../package-root.ts';
import { INTERRUPTED } from './interrupt.ts';
import { complain, tell } from './output.ts';
import type { TrainCommandOptions } from './train.ts';

/** How long processes may outlive the first that ends. */
const GRACE_MS = 15_000;

/** What rank 0 says of its run, over the channel to the process that started it. */
export interface DirectoryMessage {
  type: 'directory';
  directory: string;
}

/**
 * `tailmix train --cluster --local R`: R processes on this machine, its cores divided among them.
 *
 * @returns the exit code of the run; 75 where it would go on if it were started again
 */
export async function launch(paths: readonly string[], options: TrainCommandOptions): Promise<number> {
  const { cluster, local = 2, workers, worker, restarts = 0, openNetwork } = options;
  if (!cluster) throw clusterFlag('--local', '--cluster');
  if (workers !== undefined || worker !== undefined) throw clusterFlag('--workers', 'no --local');
  if (!openNetwork) checkNetwork(true);
  let directory: string | null = null;
  for (let life = 0; ; life++) {
    const addresses = await freeAddresses(local);
    const own = directory === null ? [...paths, ...placeFlags(options)] : ['--resume', directory];
    const { code, interrupted } = await runAll(addresses, [...own, ...flagsOf(options)], (found) => {
      directory = found;
    });
    if (code !== TRY_AGAIN || interrupted || life >= restarts) return code;
    complain(`cluster: starts all ${local} processes again (${life + 1} of at most ${restarts})`);
  }
}

/** Flags that a resumed run does not take. */
function placeFlags({ out, resume, seed, name }: TrainCommandOptions): string[] {
  return Object.entries({ out, resume, seed, name }).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag}`, value],
  );
}

function flagsOf({
  set = [],
  backend,
  dataRoot,
  full,
  plan,
  json,
  takeOver,
  allowOtherData,
  openNetwork,
}: TrainCommandOptions): string[] {
  const valued = { backend, 'data-root': dataRoot };
  const plain = {
    full,
    plan,
    json,
    'take-over': takeOver,
    'allow-other-data': allowOtherData,
    'open-network': openNetwork,
  };
  return [
    ...set.flatMap((setting) => ['--set', setting]),
    ...Object.entries(valued).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, value])),
    ...Object.entries(plain).flatMap(([flag, value]) => (value ? [`--${flag}`] : [])),
  ];
}

/** Runs all processes once. */
async function runAll(
  addresses: readonly string[],
  args: readonly string[],
  onDirectory: (directory: string) => void,
): Promise<{ code: number; interrupted: boolean }> {
  const threads =
    process.env.TAILMIX_THREADS || String(Math.max(1, Math.floor(availableParallelism() / addresses.length)));
  const children = addresses.map((_, rank) => {
    const child = spawn(
      process.execPath,
      [launcher, 'train', ...args, '--cluster', '--workers', addresses.join(','), '--worker', String(rank)],
      {
        stdio: ['ignore', rank === 0 ? 'inherit' : 'ignore', rank === 0 ? 'inherit' : 'pipe', 'ipc'],
        env: { ...process.env, TAILMIX_THREADS: threads },
      },
    );
    if (child.stderr) createInterface(child.stderr).on('line', (line) => complain(line));
    return child;
  });
  children[0]!.on('message', (message: DirectoryMessage) => {
    if (message.type === 'directory') onDirectory(message.directory);
  });
  let interrupted = false;
  // A terminal sends these to all processes by itself.
  const onInt = (): void => {
    interrupted = true;
  };
  const onTerm = (): void => {
    interrupted = true;
    children[0]!.kill('SIGTERM');
  };
  const handlers = [
    ['SIGINT', onInt],
    ['SIGQUIT', onInt],
    ['SIGTERM', onTerm],
    ['SIGHUP', onTerm],
    ['SIGUSR2', onTerm],
  ] as const;
  for (const [name, handler] of handlers) process.on(name, handler);
  try {
    const codes = await Promise.all(children.map((child, rank) => endOf(child, rank, children)));
    return { code: codeOf(codes), interrupted };
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler);
  }
}

/** Exit code of a process, 75 of one that was killed; others that do not end by themselves soon after it, as one that was stopped, are ended. */
async function endOf(child: ChildProcess, rank: number, all: readonly ChildProcess[]): Promise<number> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (signal !== null) tell(`cluster: rank ${rank} was ended by ${signal}`);
  setTimeout(() => {
    for (const other of all) if (other.exitCode === null && other.signalCode === null) other.kill('SIGKILL');
  }, GRACE_MS).unref();
  return code ?? TRY_AGAIN;
}

/**
 * A fault of config or run counts before a lost process, which may be its consequence. Where rank 0 is done, so is the run, whoever was lost
 * afterwards.
 */
const codeOf = (codes: readonly number[]): number =>
  codes.find((code) => code !== 0 && code !== TRY_AGAIN && code !== INTERRUPTED) ??
  (codes[0] === 0 ? 0 : Math.max(...codes));

/** Ports that are free at this moment. */
export async function freeAddresses(count: number): Promise<string[]> {
  const servers: Server[] = [];
  for (let i = 0; i < count; i++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports.map((port) => `127.0.0.1:${port}`);
}
