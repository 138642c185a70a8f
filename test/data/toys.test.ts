import { describe, expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import type { LoadedData, Split } from '../../src/data/types.ts';
import { createTrainer } from '../../src/train/trainer.ts';

const load = (input: DataInput): Promise<LoadedData> => loadData(dataOptions.parse(input));

/** Points of a split as the model sees them, `[x, y]`. */
function pointsOf({ pixels }: Split, { mean, std }: LoadedData['info']): [number, number][] {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  const bytes = new Uint8Array(pixels.bytes);
  const at = (i: number, c: 0 | 1) => (bytes[2 * i + c]! / 255 - mean[c]!) / std[c]!;
  return Array.from({ length: bytes.length / 2 }, (_, i) => [at(i, 0), at(i, 1)]);
}

describe.each(['blobs', 'moons', 'circles'] as const)('%s', (name) => {
  test('plans and reads the same counts; ratio 10 as in the paper', async () => {
    const input: DataInput = { name, ratio: 10 };
    expect((await describeData(dataOptions.parse(input))).classCounts).toEqual([500, 50]);
    const data = await load(input);
    expect([...data.train.classCounts, ...data.test.classCounts]).toEqual([500, 50, 500, 500]);
  });

  test('draws by its own seed: the same points again, others for another seed and in test', async () => {
    const hash = async (options: Record<string, unknown>, split: 'train' | 'test' = 'train') => {
      const data = await load({ name, options });
      return JSON.stringify(pointsOf(data[split].split, data.info));
    };
    expect(await hash({})).toBe(await hash({ seed: 0, samples: 500 }));
    expect(new Set([await hash({}), await hash({ seed: 1 }), await hash({}, 'test')]).size).toBe(3);
  });

  test('an MLP separates the classes', async () => {
    const config = await loadConfig(`configs/toy/${name}-erm.yaml`, { registry, set: ['train.epochs=20'] });
    const { summary } = await createTrainer(trainerOptions(config)).run();
    expect(summary.last!.balancedAccuracy).toBeGreaterThan(0.8);
  });
});

test('without noise, normalised pixels are the curves to half a step', async () => {
  const half = 5 / 255 / 2 + 1e-9;
  const shape = async (name: 'blobs' | 'moons' | 'circles') => {
    const data = await load({ name, profile: 'none', options: { noise: 0, samples: 200 } });
    return pointsOf(data.train.split, data.info).map((point, i) => [...point, Number(i >= 200)] as const);
  };
  for (const [x, y, label] of await shape('blobs')) {
    expect(Math.abs(x - (label === 0 ? -1 : 1))).toBeLessThanOrEqual(half);
    expect(Math.abs(y)).toBeLessThanOrEqual(half);
  }
  for (const [x, y, label] of await shape('circles')) {
    expect(Math.abs(Math.hypot(x, y) - (label === 0 ? 1 : 0.5))).toBeLessThanOrEqual(half * Math.SQRT2);
  }
  for (const [x, y, label] of await shape('moons')) {
    const [dx, dy] = label === 0 ? [x + 0.5, y + 0.25] : [0.5 - x, 0.25 - y];
    expect(Math.abs(Math.hypot(dx, dy) - 1)).toBeLessThanOrEqual(half * Math.SQRT2);
    expect(dy).toBeGreaterThanOrEqual(-half);
  }
});

test('what lies outside the square is put on its edge', async () => {
  const data = await load({ name: 'blobs', ratio: 10, options: { noise: 50, samples: 50 } });
  for (const point of pointsOf(data.train.split, data.info))
    for (const value of point) expect(Math.abs(value)).toBeLessThanOrEqual(2.5 + 1e-9);
});
