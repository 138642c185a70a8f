import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeNative } from '../step/captured-support.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

it('needs the native engine', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a', '--set', 'train.epochs=1');
  const { code, stderr } = await tailmix(folder, 'export', 'runs/a', '--format', 'tfjs');
  expect({ code, stderr }).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "export: expected the native engine, whose ops are what is exported; got wasm. Run \`tailmix setup\`, or use --backend native.
    ",
    }
  `);
});

it('needs a format, which --int8 implies', async () => {
  const { code, stderr } = await tailmix(await temporaryFolder(), 'export', 'runs/a');
  expect({ code, stderr }).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "error: required option '--format <name>' not specified
    (tailmix export --help describes its options, with an example)
    ",
    }
  `);
});

describeNative('export', () => {
  it('writes the newest checkpoint with its class names', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'run.yaml'), quickRun);
    await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a');
    const exported = (...args: string[]) => tailmix(folder, 'export', 'runs/a', '--backend', 'native', ...args);

    const { code, stdout, stderr } = await exported('--format', 'saved-model');
    expect(code, stderr).toBe(0);
    expect(stderr).toBe(
      `Next: npx tailmix predict runs/a/export/saved-model IMAGE…  # classes of images, by the export
      loadPredictor("runs/a/export/saved-model")            # from 'tailmix/predict', in a program: docs/predict.md
`,
    );
    expect(stdout).toMatch(
      /^runs\/a\/export\/saved-model {2}saved-model\n {2}saved_model\.pb {6}\d+ kB\n {2}preprocess\.mjs {6}\d+ kB\n {2}preprocessing\.json {2}\d+ B\n {2}classes\.json {8}\d+ B\nepoch 2; logits/,
    );
    expect(stdout).toMatch(
      /\none image [\d.]+ ms, 32 images [\d.]+ ms \(median on this machine, TensorFlow of the native backend\)\n$/,
    );
    expect(JSON.parse(await readFile(join(folder, 'runs/a/export/saved-model/classes.json'), 'utf8'))).toMatchObject({
      name: 'quick',
      dataset: 'digits',
      epoch: 2,
      model: 'mlp',
      imageShape: [28, 28, 1],
      classes: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
    });

    const document = JSON.parse((await exported('--format', 'tfjs', '--out', 'web', '--json')).stdout);
    expect(document).toMatchObject({ format: 'tfjs', epoch: 2, folder: join(folder, 'web') });
    expect(document.difference / document.largest).toBeLessThan(1e-5);
    expect(document.latency).toEqual({
      runtime: 'TensorFlow.js on the native backend',
      one: expect.any(Number),
      thirtyTwo: expect.any(Number),
    });
    expect(document.latency.one).toBeGreaterThan(0);
    expect(document.latency.thirtyTwo).toBeGreaterThan(0);
    const int8 = JSON.parse((await exported('--calibration-images', '40', '--json')).stdout);
    expect(int8).toMatchObject({ format: 'onnx', folder: join(folder, 'runs/a/export/onnx-int8') });
    expect(int8.int8.calibration).toEqual({ split: 'train', images: 40 });
    expect(int8.int8.bytes.int8).toBeLessThan(int8.int8.bytes.float32 / 3);
    expect([int8.latency.runtime, int8.floatLatency.runtime]).toEqual(['onnxruntime-node', 'onnxruntime-node']);
    const bytes = async (path: string): Promise<number> => (await readFile(join(folder, 'web', path))).length;
    for (const file of document.files) expect(file.bytes).toBe(await bytes(file.path));
  });
});
