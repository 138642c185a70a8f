import { mkdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RunRecord } from '../../src/tracking/spool/records.ts';
import { openSpool, type SpoolWriter } from '../../src/tracking/spool/write.ts';

/** Opens the spool of a run directory. */
export function spoolOf(directory: string, changes: Partial<RunRecord> = {}): SpoolWriter {
  mkdirSync(directory, { recursive: true });
  return openSpool(
    directory,
    () => ({ time: 1000, uid: 'u-1', experiment: 'digits', name: 'Remix seed 0', tags: { who: 'me' }, ...changes }),
    (error) => {
      throw error;
    },
  );
}

/** Writes a file of a run directory. */
export async function writeRunFile(directory: string, file: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, file)), { recursive: true });
  await writeFile(join(directory, file), text);
}

/** A run of one epoch with everything that a spool can hold, and its files; it ends at 9000. */
export async function spooledRun(directory: string, changes: Partial<RunRecord> = {}): Promise<void> {
  await writeRunFile(directory, 'config.yaml', 'name: small\n');
  await writeRunFile(directory, 'report/index.html', '<p>report');
  const spool = spoolOf(directory, changes);
  spool.params({ lr: '0.1', note: 'ä'.repeat(7000) });
  spool.tags({ 'tailmix.backend': 'wasm' });
  const dataset = { name: 'digits', digest: 'train-1', context: 'train', sourceType: 'local', source: '{}' };
  spool.write({ type: 'inputs', datasets: [dataset, { ...dataset, digest: 'test-1', context: 'test' }] });
  spool.write({ type: 'artifact', path: 'config.yaml', file: 'config.yaml' });
  for (const step of [10, 20, 30]) spool.metrics(step, { 'step/loss': 1 / step }, 1000 + step);
  spool.metrics(1, { 'train/loss': 0.5, 'test/accuracy': Number.NaN }, 2000);
  spool.write({ type: 'artifact', path: 'report/index.html', file: 'report/index.html' });
  spool.write({
    type: 'model',
    name: 'Remix',
    kind: 'image-classifier',
    step: 1,
    params: {},
    tags: {},
    files: [{ path: 'config.yaml', file: 'config.yaml' }],
    metrics: { time: 2000, step: 1, values: { 'test/accuracy': 'NaN' } },
  });
  spool.write({ type: 'status', status: 'FINISHED', time: 9000 });
  spool.close();
}
