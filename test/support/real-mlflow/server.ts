import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { installed, isInstalled } from './install.ts';

/** A server of MLflow itself, on a free port of this machine, with a store of its own. */
export interface RealMlflow {
  url: string;
  /** Variables of whoever uses it: its address, and user and password where it wants them. */
  env: Record<string, string>;
  /** Ends all of its processes as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, at the same address over the same store. */
  start(): Promise<void>;
  /** Stops it and deletes its store. */
  remove(): Promise<void>;
}

const START_LIMIT_MS = 300_000;

/** Whether the tests have an MLflow; says on the console what is skipped without. */
export function hasMlflow(what: string): boolean {
  if (!isInstalled())
    console.warn(`SKIPPED: ${what}, there is no MLflow (npx jiti test/support/real-mlflow/install.ts).`);
  return isInstalled();
}

/**
 * Starts a server with the light settings of one user: a worker, no job runners.
 *
 * @param auth - asks for user and password.
 * @param store - database to copy; default: an empty one.
 * @param artifacts - folder of artifacts; default: an empty one.
 */
export async function startMlflow({
  auth = false,
  store = installed.store,
  artifacts = './mlartifacts',
} = {}): Promise<RealMlflow> {
  const folder = await mkdtemp(join(tmpdir(), 'tailmix-mlflow-'));
  await copyFile(store, join(folder, 'mlflow.db'));
  await copyFile(installed.users, join(folder, 'basic_auth.db'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const password = 'a long password';
  let child: ChildProcess | undefined;

  const isHealthy = async () => (await fetch(`${url}/health`).catch(() => null))?.ok === true;
  const start = async () => {
    const stores = ['--backend-store-uri', 'sqlite:///mlflow.db', '--artifacts-destination', artifacts];
    const place = ['--host', '127.0.0.1', '--port', String(port), '--workers', '1'];
    const args = ['server', ...place, ...stores, ...(auth ? ['--app-name', 'basic-auth'] : [])];
    let said = '';
    // A group of its own, so that its workers end with it.
    child = spawn(join(installed.programs, 'mlflow'), args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...withoutMlflow(process.env),
        PATH: `${installed.programs}:${process.env.PATH}`,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        MLFLOW_DISABLE_TELEMETRY: 'true',
        MLFLOW_FLASK_SERVER_SECRET_KEY: 'only for tests',
        MLFLOW_AUTH_ADMIN_PASSWORD: password,
      },
    });
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (part) => (said += part));
    const limit = Date.now() + START_LIMIT_MS;
    while (!(await isHealthy())) {
      if (child.exitCode !== null || Date.now() > limit) {
        await end('SIGKILL');
        throw new Error(`mlflow server did not start:\n${said.slice(-2000)}`);
      }
      await delay(100);
    }
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'close');
    process.kill(-child.pid!, signal);
    await gone;
  };
  await start();
  return {
    url,
    env: {
      MLFLOW_TRACKING_URI: url,
      ...(auth ? { MLFLOW_TRACKING_USERNAME: 'admin', MLFLOW_TRACKING_PASSWORD: password } : {}),
    },
    start,
    kill: () => end('SIGKILL'),
    async remove() {
      await end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the machine says of another server must not reach this one. */
export const withoutMlflow = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MLFLOW_')));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
