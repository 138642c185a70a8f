import { copyFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import adaptformer from '../../plugins/adaptformer/index.ts';
import checkpoint from '../../plugins/checkpoint/index.ts';
import classMeanHead from '../../plugins/class-mean-head/index.ts';
import ema from '../../plugins/ema/index.ts';
import { declaredTrained, extendModel } from '../../src/compose/declared.ts';
import { createTrainer } from '../../src/config/checked-trainer.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { frozenWeights } from '../../src/models/transfer.ts';
import type { Model } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { checkpointPath, readCheckpoint, readLatest, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import type { TrainerOptions } from '../../src/train/prepare.ts';
import { sizeOf as lengthOf } from '../../src/util/shape.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';
import { inTemporaryFolder, temporaryFolder } from '../support/temporary.ts';

const published = 'test/models/published/vit-tiny.safetensors';
const cache = inTemporaryFolder();
beforeAll(() => void vi.stubEnv('TAILMIX_CACHE', cache()));
afterAll(() => void vi.unstubAllEnvs());

const adapters = adaptformer({ dimension: 2 });
const vit = (weights: string) => ({ name: 'vit-tiny-16' as const, width: 24, depth: 2, weights });
const data = squares([4, 2, 1, 1], 32);
const short = { epochs: 1, batchSize: 8, step: 'eager' } as const;
const run = (options: Partial<TrainerOptions> & Pick<TrainerOptions, 'model'>): TrainerOptions => ({
  data,
  backend: 'wasm',
  train: { epochs: 2, batchSize: 8, step: 'eager' },
  ...options,
});
const trained = async (options: Parameters<typeof run>[0]): Promise<Snapshot> =>
  (await createTrainer(run(options)).run()).snapshot!;
const withoutTime = ({ seconds: _, history, ...rest }: Snapshot) => ({
  ...rest,
  history: history.map(({ seconds: _s, waitSeconds: _w, imagesPerSecond: _i, ...metrics }) => metrics),
});
const sizeOf = async (path: string): Promise<number> => (await stat(path)).size;

test('a checkpoint of adapters leaves the backbone out; the run goes on from it, and ends equal to the bit', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'vit.safetensors');
  await copyFile(published, file);
  const plugins: Plugin[] = [adapters, ema(), checkpoint({ keep: 3 })];
  const directory = await temporaryFolder();
  const whole = await trained({ model: vit(file), plugins, directory });
  snapshotOfAdapters = whole;

  const { backbone } = whole;
  expect(backbone).toMatchObject({ name: 'vit-tiny-16', file, path: file, classes: 4, imageShape: [32, 32, 3] });
  expect(backbone!.weights).toContain('block2/mlp/expand/kernel');
  const kept = whole.weights.filter((name) => !backbone!.weights.includes(name));
  expect(kept.filter((name) => !/^classifier\/|^adaptformer\//.test(name))).toEqual([]);
  const full = join(directory, 'full.safetensors');
  await writeCheckpoint(full, whole, { full: true });
  const [light, all] = [await sizeOf(checkpointPath(directory, 2)), await sizeOf(full)];
  expect([light < 24_000, all > 74_000]).toEqual([true, true]);
  const { backbone: _, ...withAll } = whole;
  expect(await readCheckpoint(full)).toEqual(withAll);

  // The file is gone, and the copy in the cache is read.
  await rm(file);
  expect(withoutTime(await readCheckpoint(checkpointPath(directory, 2)))).toEqual(withoutTime(whole));
  const resume = await readCheckpoint(checkpointPath(directory, 1));
  const resumed = await trained({ model: vit(file), plugins, directory, resume });
  expect(withoutTime(resumed)).toEqual(withoutTime(whole));
  expect(await sizeOf(checkpointPath(directory, 2))).toBeLessThan(24_000);

  // A run from this one names the same file; what it draws anew is its own.
  const next = await trained({
    model: { name: 'vit-tiny-16', width: 24, depth: 2, init: checkpointPath(directory, 2), freeze: ['backbone'] },
    plugins: [adapters],
    start: { reset: ['block1'] },
  });
  expect(next.backbone).toMatchObject({ sha256: backbone!.sha256, path: file });
  expect(next.backbone!.weights).toEqual(backbone!.weights.filter((name) => !name.startsWith('block1/')));
});

test('what a phase trains or a plugin begins anew is kept, and statistics that move', async () => {
  const model = { ...vit(published), head: 'cosine' as const, freeze: ['backbone'] };
  const first = await trained({ model, plugins: [classMeanHead()], train: short });
  expect(first.weights.filter((name) => !first.backbone!.weights.includes(name))).toEqual(['classifier/kernel']);
  const phases = [
    { name: 'head', epochs: 1, model: { freeze: ['backbone'] } },
    { name: 'end', epochs: 1, model: { freeze: ['embed', 'block1'] } },
  ];
  const phased = await trained({ model: vit(published), phases });
  expect([...new Set(phased.backbone!.weights.map((name) => name.split('/')[0]))]).toEqual(['embed', 'block1']);
  expect((await trained({ model: vit(published), train: short })).backbone).toBeUndefined();

  const resnet = (frozenNorm: 'batch' | 'running') =>
    trained({
      model: {
        ...{ name: 'resnet18', width: 2, weights: 'test/models/published/resnet18.safetensors' },
        ...{ freeze: ['backbone'], frozenNorm },
      },
      train: short,
    });
  const [moving, staying] = [await resnet('batch'), await resnet('running')];
  expect(staying.backbone!.weights).toContain('stem/norm/mean');
  expect(moving.backbone!.weights.filter((name) => /mean|variance/.test(name))).toEqual([]);
  expect(moving.backbone!.weights).toContain('stem/kernel');
});

/** A snapshot of a run that began with a file, and that file. */
async function begun(): Promise<{ folder: string; file: string; snapshot: Snapshot }> {
  const folder = await temporaryFolder();
  const file = join(folder, 'vit.safetensors');
  await copyFile(published, file);
  const { backbone, ...rest } = snapshotOfAdapters;
  return { folder, file, snapshot: { ...rest, backbone: { ...backbone!, file, path: file } } };
}
let snapshotOfAdapters: Snapshot;

test('the file of a backbone: in the cache, where it was, in the run’s directory; a missing or another one is named', async () => {
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  const { folder, file, snapshot: whole } = await begun();
  const directory = await temporaryFolder();
  const path = checkpointPath(directory, 2);
  await writeCheckpoint(path, whole);
  const weights = join(process.env.TAILMIX_CACHE!, 'weights');
  const [entry] = await readdir(weights);
  expect([entry, await readdir(join(weights, entry!))]).toEqual([whole.backbone!.sha256, ['vit.safetensors']]);

  // A damaged copy is passed over; then the file alone is there; then one in the run's directory.
  await writeFile(join(weights, entry!, 'vit.safetensors'), 'damaged');
  expect(await readCheckpoint(path)).toEqual(whole);
  await rm(weights, { recursive: true });
  expect(await readCheckpoint(path)).toEqual(whole);
  await rename(file, join(directory, 'vit.safetensors'));
  expect(await readCheckpoint(path)).toEqual(whole);

  await rm(join(directory, 'vit.safetensors'));
  const message = (call: () => Promise<unknown>) =>
    messageOfError(call).then((text) => text.replaceAll(directory, 'RUN').replaceAll(folder, 'FOLDER'));
  expect(await message(() => readLatest(directory))).toMatchInlineSnapshot(`
    "RUN/checkpoints/epoch-0002.safetensors: expected the file of its backbone, vit-tiny-16 with SHA-256 f4a7efa988f6…, some of whose weights it leaves out; it is neither in the cache nor at FOLDER/vit.safetensors.
      Put vit.safetensors back there, or into RUN."
  `);
  await copyFile('test/models/published/vit-dinov2.safetensors', file);
  expect(await message(() => readCheckpoint(path))).toMatchInlineSnapshot(`
    "RUN/checkpoints/epoch-0002.safetensors: expected the file of its backbone, vit-tiny-16 with SHA-256 f4a7efa988f6…, some of whose weights it leaves out; got another file at FOLDER/vit.safetensors.
      Put vit.safetensors back there, or into RUN."
  `);
  vi.stubEnv('TAILMIX_CACHE', cache());
});

test('a backbone whose file is gone before the first checkpoint: all weights are written, and that is said', async () => {
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  const { folder, file, snapshot: whole } = await begun();
  await writeFile(file, 'another');
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const path = checkpointPath(folder, 2);
  await writeCheckpoint(path, whole);
  expect(warned.mock.calls.map(([text]) => String(text).replaceAll(folder, 'RUN'))).toMatchInlineSnapshot(`
    [
      "RUN/checkpoints/epoch-0002.safetensors: RUN/vit.safetensors is no longer the file that the run began with, so all weights are written. Put it back for smaller checkpoints.",
    ]
  `);
  warned.mockRestore();
  const { backbone: _, ...withAll } = whole;
  expect(await readCheckpoint(path)).toEqual(withAll);
  vi.stubEnv('TAILMIX_CACHE', cache());
});

test('a ViT-Ti/16 of 5.5 M weights with adapters is a checkpoint below 1 MB', async () => {
  vi.stubEnv('TAILMIX_CACHE', await temporaryFolder());
  const task = { classes: 100, imageShape: [224, 224, 3] as const };
  const base = createModel(modelOptions.parse({ name: 'vit-tiny-16' }), task);
  const plugins = [adaptformer()];
  const model = extendModel(base, plugins[0]!, task);
  const { frozen } = frozenWeights(
    { base, model },
    { freeze: [], frozenNorm: 'batch' },
    declaredTrained(plugins, base),
  );
  const trainedOnes = model.weights.filter(({ name }) => !frozen.has(name));
  const zeros = (specs: Model['weights'], before = '') =>
    specs.map(({ name, shape }) => [before + name, { shape, values: new Float32Array(lengthOf(shape)) }] as const);
  const { file, snapshot } = await begun();
  const state = Object.fromEntries([...zeros(model.weights), ...zeros(trainedOnes, 'momentum/')]);
  const path = checkpointPath(await temporaryFolder(), 2);
  const weights = model.weights.map(({ name }) => name);
  const backbone = { ...snapshot.backbone!, weights: [...frozen] };
  await writeCheckpoint(path, { ...snapshot, state, weights, backbone });
  await rm(file);
  const size = await sizeOf(path);
  expect(weights.length - trainedOnes.length).toBe(frozen.size);
  expect(size).toBeLessThan(1_000_000);
  vi.stubEnv('TAILMIX_CACHE', cache());
});
