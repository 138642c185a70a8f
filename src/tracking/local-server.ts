import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { withLock } from '#lock';
import { makeFolder } from '#make-folder';
import { findCommand, lastLines, runCommand } from '../backend/run-command.ts';
import { noMlflow, portTaken, serverDidNotStart } from './mlflow/errors.ts';

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
  /** What it writes. */
  logFile: string;
  /** Settles when its process has ended. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Where a server may listen. */
export interface LocalPort {
  /** Default: 5000; 0 for any. */
  port?: number;
  /** Whether no other will do. */
  isFixed?: boolean;
}

const POLL_MS = 200;
/** A busy machine takes a minute for the tables of a new store. */
const START_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 5000;
const USUAL_PORT = 5000;

/**
 * Starts MLflow's server on this machine, light: one worker and no job runners (0.4 GB instead of 2.5 GB).
 *
 * Servers that start over one folder take turns: only one makes its tables. A port that another server takes between the
 * look at it and our server's own try is given up for another, unless it `isFixed`.
 *
 * @param folder - its database, artifacts and log; made if missing.
 * @param options.signal - ends the wait for it: the server may not answer yet.
 * @throws {TailmixError} MLFLOW_UI_PORT, MLFLOW_UI_START; what the system throws where the folder cannot be written.
 */
export async function startLocalServer(
  program: MlflowProgram,
  folder: string,
  { port = USUAL_PORT, isFixed = false, signal }: LocalPort & { signal?: AbortSignal } = {},
): Promise<LocalServer> {
  await makeFolder(folder);
  return withLock(resolve(folder, 'starting.lock'), async () => {
    let chosen = await tryPort(port);
    for (;;) {
      if (chosen === null && isFixed) throw portTaken(port);
      chosen ??= (await tryPort(0))!;
      const server = await startOn(chosen, program, folder, signal);
      if (server !== null) return server;
      chosen = null;
    }
  });
}

/** Starts a server on a port; null where something else took the port first. */
async function startOn(
  port: number,
  program: MlflowProgram,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<LocalServer | null> {
  const logFile = resolve(folder, `server-${port}.log`);
  const log = openSync(logFile, 'w');
  const stores = ['--backend-store-uri', 'sqlite:///mlflow.db', '--artifacts-destination', './mlartifacts'];
  const place = ['--host', '127.0.0.1', '--port', String(port), '--workers', '1'];
  const [command, ...first] = program;
  const ownName = `${randomUUID()}.localhost`;
  const child = spawn(command, [...first, 'server', ...place, ...stores], {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: {
      ...withoutTracking(process.env),
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
      MLFLOW_DISABLE_TELEMETRY: 'true',
      MLFLOW_SERVER_ALLOWED_HOSTS: [...allowedHosts(process.env), ownName].join(),
    },
  });
  closeSync(log);
  const url = `http://127.0.0.1:${port}`;
  const ended = new Promise<void>((done) => child.once('exit', () => done()).once('error', () => done()));
  const stop = () => stopChild(child, ended);
  try {
    await untilItAnswers(url, ownName, child, signal);
  } catch (error) {
    await stop();
    if ((await tryPort(port)) === null) return null;
    throw serverDidNotStart(logFile, lastLines(readFileSync(logFile, 'utf8'), 2), error);
  }
  return { url, logFile, ended, stop };
}

/** Host names that MLflow's server answers under: this machine's, or those that its own variable lists. */
const allowedHosts = ({ MLFLOW_SERVER_ALLOWED_HOSTS: listed }: NodeJS.ProcessEnv): string[] =>
  listed ? [listed] : ['localhost', 'localhost:*', '127.0.0.1', '127.0.0.1:*'];

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

/**
 * Waits for the server that is our child. Another one may have the port by now, and answer: only ours answers under a name
 * that was made up for it.
 */
async function untilItAnswers(
  url: string,
  ownName: string,
  child: ChildProcess,
  signal: AbortSignal | undefined,
): Promise<void> {
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
    if (await answersAs(ownName, url)) return;
    await delay(POLL_MS);
  }
}

/** Whether a server answers calls, under a name. `/health` would not do: it is answered under any. */
async function answersAs(host: string, url: string): Promise<boolean> {
  try {
    const path = '/api/2.0/mlflow/experiments/search?max_results=1';
    const { statusCode, body } = await request(`${url}${path}`, { headers: { host }, reset: true });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
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
