import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { withLock } from '../../../bin/lock.mjs';
import { cacheRoot } from '../../../src/backend/paths.ts';
import { type Ended, findCommand, lastLines, runCommand } from '../../../src/backend/run-command.ts';
import { pinned } from '../../../src/export/mlflow/index.ts';

const { mlflow: VERSION } = pinned;
const PACKAGES = [
  `mlflow[auth]==${VERSION}`,
  ...(['onnx', 'onnxruntime', 'pillow'] as const).map((name) => `${name}==${pinned[name]}`),
];

/** Where the tests' MLflow is: an environment of Python's, and empty stores that a server opens without migrating. */
export const installed = (() => {
  const root = join(cacheRoot(), `mlflow-${VERSION}-onnx-${process.platform}-${process.arch}`);
  return {
    root,
    python: join(root, 'venv', 'bin', 'python'),
    programs: join(root, 'venv', 'bin'),
    store: join(root, 'empty', 'mlflow.db'),
    users: join(root, 'empty', 'basic_auth.db'),
    stamp: join(root, 'stamp.json'),
  };
})();

/** Whether {@link install} has done its work. */
export const isInstalled = (): boolean => existsSync(installed.stamp);

/** The tables of a new server take 71 migrations; made once, they are copied. */
const MAKE_STORES = `
import os, sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore as Users
store, users = sys.argv[1:]
SqlAlchemyStore(f"sqlite:///{store}", "mlflow-artifacts:/")
Users().init_db(f"sqlite:///{users}")
`;

/** Python that is new enough and can make environments; null with none. */
async function findPython(): Promise<string | null> {
  const check = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))';
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10']) {
    const python = await findCommand([name]);
    if (python !== null && (await runCommand([python, '-c', check])).code === 0) return python;
  }
  return null;
}

/**
 * Installs MLflow with pip, with pip's own settings, into the cache folder where it is missing (about 850 MB).
 *
 * @returns null, or why there is none.
 */
export async function install(): Promise<string | null> {
  if (process.platform === 'win32') return 'the tests start no server on Windows';
  return withLock(`${installed.root}.lock`, async () => {
    if (isInstalled()) return null;
    const python = await findPython();
    if (python === null) return 'there is no Python of 3.10 or later with venv and pip (apt install python3-venv)';
    await rm(installed.root, { recursive: true, force: true });
    await mkdir(join(installed.root, 'empty'), { recursive: true });
    const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', PYTHONPATH: '' };
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '2'];
    const steps: [string, ...string[]][] = [
      [python, '-m', 'venv', join(installed.root, 'venv')],
      [installed.python, ...pip, ...PACKAGES],
      [installed.python, '-c', MAKE_STORES, installed.store, installed.users],
    ];
    for (const step of steps) {
      const ended: Ended = await runCommand(step, { env });
      if (ended.code !== 0) return `${step.slice(1, 4).join(' ')} failed: ${lastLines(ended.stderr, 2)}`;
    }
    await writeFile(installed.stamp, JSON.stringify({ mlflow: VERSION }));
    return null;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href && !isInstalled()) {
  console.error(`MLflow ${VERSION} for the tests: installing into ${installed.root}`);
  const problem = await install();
  if (problem !== null) console.error(`MLflow for the tests: none, and the tests against it skip: ${problem}`);
}
