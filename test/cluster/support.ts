import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { hasClusterModule } from '../../src/backend/cluster-module.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { checkpointFolder } from '../../src/tracking/checkpoint.ts';

/** Why no run can be trained in several processes here; null where one can. */
export const whyNoCluster: string | null =
  whyNotNative('native') ?? (hasClusterModule() ? null : 'native/cluster.cc is not compiled');

/** One thread for each kernel: the number of threads decides bits. */
export const clusterEnv: NodeJS.ProcessEnv = {
  ...process.env,
  TAILMIX_BACKEND: 'native',
  TAILMIX_THREADS: '1',
  TAILMIX_CLUSTER_TIMEOUT: process.env.TAILMIX_CLUSTER_TIMEOUT ?? '20',
};

/** Flags that start so many processes here. */
export const local = (processes: number): string[] => ['--cluster', '--local', String(processes), '--open-network'];

/** `tailmix train`, in a folder. */
export const train = (folder: string, ...args: string[]): ChildProcess => trainIn(folder, clusterEnv, ...args);

/** {@link train}, with another environment. */
export const trainIn = (folder: string, env: NodeJS.ProcessEnv, ...args: string[]): ChildProcess =>
  spawn(process.execPath, [resolve('bin/tailmix.mjs'), 'train', ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** Metrics without times, and the bytes of the last checkpoint's arrays. */
export async function resultOf(directory: string) {
  const lines = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  const metrics = lines.map((line) => {
    const { seconds: _, waitSeconds: __, imagesPerSecond: ___, ...rest } = JSON.parse(line) as Record<string, unknown>;
    return rest;
  });
  const checkpoints = (await readdir(checkpointFolder(directory))).sort();
  const file = await readFile(join(checkpointFolder(directory), checkpoints.at(-1)!));
  return { metrics, checkpoints, arrays: file.subarray(8 + Number(file.readBigUInt64LE(0))).toString('base64') };
}

/** Digits on a small network. */
export const digits = (epochs: number, replicas: number): string => `name: digits
data: { name: digits, profile: exp, ratio: 100 }
model: { name: small-cnn }
train: { epochs: ${epochs}, batchSize: 64, dropLast: true, replicas: ${replicas} }
plugins: [{ use: mixup }, { use: remix }]
`;

/** Calls `then` with the process that a line of standard error names, once another line is there. */
export function whenSaid(child: ChildProcess, text: RegExp, then: (pid: (rank: number) => number) => void): void {
  let said = '';
  child.stderr!.on('data', function look(part: Buffer) {
    said += part;
    if (!text.test(said)) return;
    child.stderr!.off('data', look);
    then((rank) => Number(new RegExp(`rank ${rank} of \\d \\(process (\\d+)\\)`).exec(said)![1]));
  });
}
