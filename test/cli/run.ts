import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';

/** What a command left. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts `tailmix` in a folder as a user would, on the WASM backend, which every machine has. */
export function start(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [resolve('bin/tailmix.mjs'), ...args], {
    cwd: folder,
    env: { ...process.env, TAILMIX_BACKEND: 'wasm', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs `tailmix` to its end. */
export function tailmix(folder: string, ...args: string[]): Promise<Ended> {
  return ended(start(folder, args));
}

/** Waits for a command to end. */
export function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) =>
      done({ code, stdout: texts.stdout, stderr: texts.stderr.replace('compiling …\n', '') }),
    );
  });
}

/** A run that takes a second: digits on a multilayer perceptron. */
export const quickRun = `name: quick
data: { name: digits, workers: 0 }
model: { name: mlp, width: 16 }
train: { epochs: 2, step: eager }
plugins: [{ use: mixup }, { use: remix }]
`;
