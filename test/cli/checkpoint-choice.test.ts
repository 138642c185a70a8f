import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunSummary } from '../../src/metrics/types.ts';
import { bestCheckpointPath, checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { readEpochs } from '../../src/tracking/run-directory.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = inTemporaryFolder();
let summary: RunSummary;

const config = (validation: number): string => `name: quick
data: { name: digits, workers: 0${validation > 0 ? `, split: { validation: ${validation} }` : ''} }
model: { name: mlp, width: 16 }
train: { epochs: 4, step: eager }
plugins: [{ use: checkpoint, keep: 3${validation > 0 ? ', best: validation' : ''} }]
`;

beforeAll(async () => {
  await writeFile(join(folder(), 'run.yaml'), config(0.1));
  await writeFile(join(folder(), 'plain.yaml'), config(0));
  await sharp({ create: { width: 28, height: 28, channels: 3, background: 'black' } })
    .png()
    .toFile(join(folder(), 'black.png'));
  for (const [file, out] of [
    ['run.yaml', 'a'],
    ['plain.yaml', 'plain'],
  ] as const) {
    const { code, stderr, stdout } = await tailmix(folder(), 'train', file, '--out', out, '--json');
    expect(code, stderr).toBe(0);
    if (out === 'a') summary = JSON.parse(stdout);
  }
  await writeFile(checkpointPath(join(folder(), 'plain'), 4), 'cut');
});

const evaluated = async (run: string, ...args: string[]) => {
  const { code, stdout, stderr } = await tailmix(folder(), 'evaluate', run, '--json', ...args);
  return code === 0 ? { code, stderr, ...JSON.parse(stdout) } : { code, stderr };
};

describe('--checkpoint', () => {
  it('last, an epoch, the best and a file, each with the figures that its epoch had', async () => {
    const run = join(folder(), 'a');
    const epochs = await readEpochs(run);
    const best = (await readCheckpoint(bestCheckpointPath(run, 'validation'))).epoch;
    expect(summary.chosenOnValidation?.epoch).toBe(best);
    for (const [wanted, epoch] of [
      ['last', 4],
      ['2', 2],
      ['best', best],
      ['a/checkpoints/epoch-0003.safetensors', 3],
    ] as const) {
      const found = await evaluated('a', '--checkpoint', wanted);
      expect(found, wanted).toMatchObject({ code: 0, stderr: '', epoch, passedOver: [] });
      expect(found.accuracy).toBe(epochs[epoch - 1]!.test!.accuracy);
      expect(found.balancedAccuracy).toBe(epochs[epoch - 1]!.test!.balancedAccuracy);
    }
  });

  it('that is not there: says which are', async () => {
    const { code, stderr } = await evaluated('a', '--checkpoint', '1');
    expect({ code, stderr: stderr.replaceAll(folder(), 'FOLDER') }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "--checkpoint 1: expected last, best, an epoch or a file, and found none of that name.
        FOLDER/a has 2, 3, 4, best-validation.safetensors.
      ",
      }
    `);
    expect(
      (await evaluated('plain', '--checkpoint', 'best')).stderr.replaceAll(folder(), 'FOLDER'),
    ).toMatchInlineSnapshot(`
      "--checkpoint best: expected last, best, an epoch or a file, and found none of that name.
        FOLDER/plain has 2, 3, 4. The best epoch is kept with \`checkpoint.best\` in the config.
      "
    `);
    expect((await evaluated('plain', '--checkpoint', '4')).code).toBe(1);
  });
});

describe('a damaged newest checkpoint', () => {
  const passedOver = 'epoch-0004.safetensors: expected a complete safetensors file; it has 3 bytes.';

  it('is said on standard error and in the JSON of evaluate and predict', async () => {
    const found = await evaluated('plain');
    expect(found).toMatchObject({ code: 0, epoch: 3, passedOver: [expect.stringContaining(passedOver)] });
    expect(found.stderr).toMatch(/^passed over: .*epoch-0004/);
    const { code, stdout, stderr } = await tailmix(folder(), 'predict', 'plain', 'black.png', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ epoch: 3, passedOver: [expect.stringContaining(passedOver)] });
    expect(stderr).toMatch(/^passed over: .*epoch-0004/);
  });

  it.each([['evaluate'], ['predict', 'black.png'], ['export', '--format', 'onnx']])(
    'is refused by %s with --strict',
    async (command, ...rest) => {
      const { code, stderr } = await tailmix(folder(), command, 'plain', ...rest, '--strict');
      expect({ code, stderr: stderr.replaceAll(folder(), 'FOLDER') }).toEqual({
        code: 1,
        stderr: `FOLDER/plain: expected its newest checkpoint to be whole, because of --strict.\n  FOLDER/plain/checkpoints/${passedOver} Use an earlier checkpoint.\n  Without --strict, the one before is used.\n`,
      });
    },
  );

  it('is said of model.init', async () => {
    const told: string[] = [];
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation((message) => void told.push(String(message)));
    const init = ['--set', 'model.init=plain'];
    const { code, stdout } = await tailmix(folder(), 'plan', 'run.yaml', '--json', ...init);
    warned.mockRestore();
    expect(code).toBe(0);
    expect(stdout).toContain('epoch-0003.safetensors');
    expect(told.join()).toContain(`model.init: `);
    expect(told.join()).toContain(passedOver);
  });
});
