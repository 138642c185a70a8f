import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { whyNotNative } from '../../../src/backend/native.ts';
import { tailmix } from '../../cli/run.ts';
import { type Said, useModel } from '../../support/real-mlflow/read.ts';
import { hasMlflow, type RealMlflow, startMlflow } from '../../support/real-mlflow/server.ts';
import { skewedPhotos } from '../../support/skewed-photos.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const config = `name: photos
data: { name: image-folder, root: photos, imageSize: 24, packSize: 28, split: { test: 0.2 } }
model: { name: small-cnn }
train: { epochs: 3, batchSize: 16 }
backend: native
`;

const ready = hasMlflow('no model is loaded in MLflow') && whyNotNative('native') === null;

describe.skipIf(!ready)('a model that MLflow loads', () => {
  let server: RealMlflow;
  let folder: string;
  beforeAll(async () => {
    server = await startMlflow();
  }, 300_000);
  afterAll(() => server?.remove());

  const succeeds = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await tailmix(folder, ...args);
    expect(code, stderr).toBe(0);
    return stdout;
  };

  it.each([
    [
      'is sent with the run',
      (url: string) => ['train', 'photos.yaml', '--out', 'sent', '--set', `plugins.mlflow.server=${url}`],
    ],
    ['is made when the run is sent later', () => ['train', 'photos.yaml', '--out', 'later']],
  ])(
    '%s, and gives the probabilities of tailmix predict',
    async (_, train) => {
      folder = await temporaryFolder();
      await skewedPhotos(join(folder, 'photos'));
      await writeFile(join(folder, 'photos.yaml'), config);
      const args = train(server.url);
      const run = args[3]!;
      vi.stubEnv('MLFLOW_EXPERIMENT_NAME', run);
      await succeeds(...args);
      if (run === 'later') await succeeds('mlflow', 'sync', 'later', '--server', server.url);
      vi.unstubAllEnvs();

      const photos = ['bee/0.jpg', 'wasp/1.jpg', 'old oak/2.jpg', 'newt/0.jpg'].map((each) =>
        join(folder, 'photos', each),
      );
      const own = JSON.parse(await succeeds('predict', run, ...photos, '--json', '--top', '4'));
      const said = await useModel(server.url, run, photos);
      expect(said).toMatchObject({
        classes: ['bee', 'newt', 'old oak', 'wasp'],
        signature: "['image': binary (required)]",
        onnx: ['logits', 'probabilities', 'features'],
        served: { example: 1 },
        metrics: [['image-folder test', 8]],
      });
      const message = 'image 0: expected a JPEG or PNG file, as bytes or in base64; cannot identify image file';
      expect([said.refused, said.served.refused]).toEqual([
        expect.stringContaining(message),
        expect.stringContaining(message),
      ]);
      for (const found of [said.logged, said.registered, said.served.found])
        expectSame(found, own.predictions, said.classes);
    },
    400_000,
  );
});

interface Predicted {
  top: { class: string; probability: number }[];
}

function expectSame(found: readonly Said[], predictions: readonly Predicted[], classes: readonly string[]): void {
  expect(found).toHaveLength(predictions.length);
  for (const [i, { top }] of predictions.entries()) {
    const [best, probability, all] = found[i]!;
    expect(best).toBe(top[0]!.class);
    expect(probability).toBeCloseTo(top[0]!.probability, 2);
    expect(all).toHaveLength(classes.length);
    for (const each of top) expect(all[classes.indexOf(each.class)]!).toBeCloseTo(each.probability, 2);
  }
}
