import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';
import { vi } from 'vitest';
import { main } from '../../src/cli/index.ts';

/** What a command left. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `tailmix` in this process, in a folder, on the WASM backend, which every machine has. */
export async function tailmix(folder: string, ...args: string[]): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  const home = process.cwd();
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      texts[stream] += String(text);
      return true;
    }),
  );
  vi.stubEnv('TAILMIX_BACKEND', 'wasm');
  process.chdir(folder);
  try {
    return { code: await main(args), ...texts };
  } finally {
    process.chdir(home);
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}

/** Starts `tailmix` as a user would: by its launcher, in a process of its own. */
export function start(folder: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [resolve('bin/tailmix.mjs'), ...args], {
    cwd: folder,
    env: { ...process.env, TAILMIX_BACKEND: 'wasm' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Sends a signal once a command says a text. Once: a second one ends a run at once, and a progress line may come twice. */
export function signalAt(child: ChildProcess, text: string, signal: NodeJS.Signals): void {
  let said = '';
  child.stderr!.on('data', function look(part: Buffer) {
    said += part;
    if (!said.includes(text)) return;
    child.stderr!.off('data', look);
    child.kill(signal);
  });
}

/** Waits for a command to end. */
export function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]!.setEncoding('utf8').on('data', (text: string) => {
      texts[stream] += text;
    });
  }
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => done({ code, ...texts }));
  });
}

/** A run that takes a second: digits on a multilayer perceptron. */
export const quickRun = `name: quick
data: { name: digits, workers: 0 }
model: { name: mlp, width: 16 }
train: { epochs: 2, step: eager }
plugins: [{ use: mixup }, { use: remix }]
`;
