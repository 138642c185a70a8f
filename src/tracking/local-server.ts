import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { findCommand, lastLines, runCommand } from '../backend/run-command.ts';
import { noMlflow, portTaken, serverDidNotStart } from './errors.ts';

/** A command that runs MLflow's own program: what its arguments are put behind. */
export type MlflowProgram = readonly [string, ...string[]];

/**
 * MLflow as it is installed: `mlflow` of the `PATH`, else the module of a Python that has it.
 *
 * @throws {TailmixError} MLFLOW_MISSING
 */
export async function findMlflow(env: NodeJS.ProcessEnv = process.env): Promise<MlflowProgram> {
  const program = await findCommand(['mlflow'], env);
  if (program !== null) return [program];
  for (const name of ['python3', 'python']) {
    const python = await findCommand([name], env);
    if (python === null) continue;
    const check = 'import importlib.util as u, sys; sys.exit(u.find_spec("mlflow") is None)';
    if ((await runCommand([python, '-c', check], { env })).code === 0) return [python, '-m', 'mlflow'];
  }
  throw noMlflow();
}

/** A server that runs on this machine, for it alone. */
export interface LocalServer {
  url: string;
  /** Settles when its process has ended. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const POLL_MS = 200;
/** A busy machine takes a minute for the tables of a new store. */
const START_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 5000;

/**
 * Starts MLflow's server on this machine, light: one worker and no job runners (0.4 GB instead of 2.5 GB).
 *
 * @param folder its database, artifacts and log; made if missing.
 * @param port null for 5000, or any free one where that is taken.
 * @throws {TailmixError} MLFLOW_UI_PORT, MLFLOW_UI_START; what the system throws where the folder cannot be written.
 */
export async function startLocalServer(
  program: MlflowProgram,
  folder: string,
  { port, signal }: { port: number | null; signal?: AbortSignal },
): Promise<LocalServer> {
  const chosen = await choosePort(port);
  mkdirSync(folder, { recursive: true });
  const logFile = resolve(folder, 'server.log');
  const log = openSync(logFile, 'w');
  const stores = ['--backend-store-uri', 'sqlite:///mlflow.db', '--artifacts-destination', './mlartifacts'];
  const place = ['--host', '127.0.0.1', '--port', String(chosen), '--workers', '1'];
  const [command, ...first] = program;
  const child = spawn(command, [...first, 'server', ...place, ...stores], {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: {
      ...withoutTracking(process.env),
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_DISABLE_TELEMETRY: 'true',
    },
  });
  const url = `http://127.0.0.1:${chosen}`;
  const ended = new Promise<void>((done) => child.once('exit', () => done()).once('error', () => done()));
  const stop = () => stopChild(child, ended);
  try {
    await untilHealthy(url, child, signal);
  } catch (error) {
    await stop();
    throw serverDidNotStart(logFile, lastLines(readFileSync(logFile, 'utf8'), 2), error);
  }
  return { url, ended, stop };
}

/** The server is given its store; what names another one must not reach it. */
const withoutTracking = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^MLFLOW_(TRACKING|EXPERIMENT|RUN|BACKEND)_/.test(name)));

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await Promise.race([ended, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await ended;
}

async function untilHealthy(url: string, child: ChildProcess, signal?: AbortSignal): Promise<void> {
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (signal?.aborted) return;
    if (failure) throw failure;
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`it ended with ${child.signalCode ?? child.exitCode}`);
    if (Date.now() > limit) throw new Error(`it did not answer within ${START_LIMIT_MS / 1000} s`);
    const answer = await fetch(`${url}/health`).catch(() => null);
    if (answer?.ok) return;
    await delay(POLL_MS);
  }
}

const USUAL_PORT = 5000;

async function choosePort(wanted: number | null): Promise<number> {
  if (wanted !== null) return (await tryPort(wanted)) ?? fail(portTaken(wanted));
  return (await tryPort(USUAL_PORT)) ?? (await tryPort(0))!;
}

/** The port if it is free; null if not. */
async function tryPort(port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return null;
  }
  const { port: found } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return found;
}

function fail(error: Error): never {
  throw error;
}
