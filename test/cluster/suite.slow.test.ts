import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import { cpuFeatures, isBfloat16Native } from '../../src/backend/cpu.ts';
import { freeAddresses } from '../../src/cli/launch.ts';
import { ended } from '../cli/run.ts';
import type { Case, Trained } from './cases.ts';
import { clusterEnv, whyNoCluster } from './support.ts';

if (whyNoCluster !== null) console.warn(`SKIPPED: plugins in several processes, ${whyNoCluster}`);

const cpu = cpuFeatures();
const hasHalf = cpu !== null && isBfloat16Native(cpu);
if (!hasHalf) console.warn('SKIPPED: bfloat16 in several processes, this processor has none');

const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
const worker = fileURLToPath(new URL('./fixtures/worker.ts', import.meta.url));

async function ranksOf(cases: readonly Case[], processes: number): Promise<Trained[][]> {
  const addresses = processes > 1 ? await freeAddresses(processes) : [];
  const cluster = (rank: number): string[] => (processes > 1 ? [addresses.join(','), String(rank)] : []);
  const children = Array.from({ length: processes }, (_, rank) =>
    spawn(process.execPath, [jiti, worker, JSON.stringify(cases), ...cluster(rank)], { env: clusterEnv }),
  );
  const all = await Promise.all(children.map((child) => ended(child)));
  return all.map(({ code, stdout, stderr }) => {
    expect(code, stderr).toBe(0);
    return stdout
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Trained);
  });
}

/**
 * Accuracy and loss of bfloat16: prediction in one process runs convolution, bias and ReLU as one op, which a session of several
 * refuses, and rounds less often.
 */
const near =
  ([accuracy, loss]: number[]) =>
  ([ours, other]: number[]): boolean =>
    Math.abs(ours! - accuracy!) <= 0.1 && Math.abs(other! / loss! - 1) < 0.02;

/** Trains cases in one process, then in so many, and compares every bit. */
async function expectSame(cases: readonly Case[], processes: number): Promise<Trained[]> {
  const [one] = (await ranksOf(cases, 1)) as [Trained[]];
  const ranks = await ranksOf(cases, processes);
  for (const [i, { name, precision = 'fp32' }] of cases.entries()) {
    expect(one[i], name).toMatchObject({ name, ran: `captured ${precision}` });
    expect(one[i]!.losses.length, name).toBeGreaterThan(2);
    for (const rank of ranks) {
      const tests =
        precision === 'bf16' ? one[i]!.tests.map((figures) => expect.toSatisfy(near(figures!))) : one[i]!.tests;
      expect(rank[i], name).toEqual({ ...one[i], tests });
    }
  }
  if (cases.length > 1) expect(new Set(one.map(({ state }) => state)).size).toBeGreaterThan(1);
  return one;
}

/** Set to train every network with every number of processes. */
const all = process.env.TAILMIX_CLUSTER_ALL === '1';
if (!all)
  console.warn('SKIPPED: networks that differ in nothing that 3, 4 and 6 replicas change: set TAILMIX_CLUSTER_ALL=1');

const mixed = ['mixup', 'remix'];
/** Sums, partners and statistics of other replicas: what their number changes. */
const ofReplicas: readonly Omit<Case, 'replicas'>[] = [
  { name: 'small-cnn, synced', model: 'small-cnn', plugins: mixed, batchNorm: 'synced' },
  { name: 'small-cnn, partners from the whole batch', model: 'small-cnn', plugins: mixed, pairs: 'global' },
  { name: 'resnet32', model: 'resnet32', plugins: mixed },
];
const others: readonly Omit<Case, 'replicas'>[] = [
  { name: 'small-cnn, patches from the whole batch', model: 'small-cnn', plugins: ['cutmix'], pairs: 'global' },
  { name: 'small-cnn, two phases', model: 'small-cnn', phases: true },
  { name: 'resnet32, synced', model: 'resnet32', batchNorm: 'synced' },
  ...(hasHalf ? [{ name: 'resnet32, bf16', model: 'resnet32', plugins: mixed, precision: 'bf16' } as const] : []),
];

/** Their forward pass has next values of state, which replicas would each have of their own: refused by name. */
const ofOneReplica = new Set(['deep-smote', 'meta-weight-net', 'paco', 'proco']);

describe.skipIf(whyNoCluster !== null)('several processes are one process to the bit', { timeout: 600_000 }, () => {
  test.each(hasHalf ? (['fp32', 'bf16'] as const) : (['fp32'] as const))(
    'every plugin, in two, %s',
    async (precision) => {
      const names = Object.keys(registry).filter((plugin) => !ofOneReplica.has(plugin));
      const trained = await expectSame(
        names.map((plugin): Case => ({ name: plugin, plugin, replicas: 2, precision })),
        2,
      );
      expect(trained).toHaveLength(Object.keys(registry).length - ofOneReplica.size);
    },
  );

  test.each([
    [2, 2],
    [3, 3],
    [4, 4],
    [2, 4],
    [3, 6],
  ])('networks, phases, bfloat16: in %s, with %s replicas', async (processes, replicas) => {
    const models = all || replicas === 2 ? [...ofReplicas, ...others] : ofReplicas;
    await expectSame(
      models.map((model) => ({ ...model, replicas })),
      processes,
    );
  });

  test('ResNet-18 of large images, in two', async () => {
    const model = { model: 'resnet18', side: 32, replicas: 2, epochs: 1 } as const;
    const half = hasHalf ? [{ ...model, name: 'bf16', precision: 'bf16' } as const] : [];
    const synced = all ? [{ ...model, name: 'synced', batchNorm: 'synced' } as const] : [];
    await expectSame([{ ...model, name: 'fp32' }, ...synced, ...half], 2);
  });

  // 23.5 million gradients: twelve buckets, the last of which is not full.
  test('ResNet-50, in three', async () => {
    await expectSame([{ name: 'resnet50', model: 'resnet50', side: 32, replicas: 3, epochs: 1 }], 3);
  });
});
