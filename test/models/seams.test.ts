import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { createModel, type ModelName, modelNames, modelOptions } from '../../src/models/index.ts';
import { atSeam, selectSeams, wrapSeams } from '../../src/models/seams.ts';
import type { Model, Pass } from '../../src/models/types.ts';
import { randomStream } from '../../src/random.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { sideOf, smallOptions } from './small.ts';

const PASS: Pass = { training: false, inputs: {}, variants: {}, atStage: (_, x) => x };

const small = (name: ModelName): Model =>
  createModel(modelOptions.parse(smallOptions(name)), { classes: 3, imageShape: [sideOf(name), sideOf(name), 3] });

const weightsOf = (model: Model): NamedTensors =>
  Object.fromEntries(
    model.weights.map(({ name, shape, initial }) => [
      name,
      tf.tensor(initial(randomStream(0, 'init', name)), [...shape]),
    ]),
  );

const logitsOf = (model: Model, weights: NamedTensors, pass = PASS): Float32Array =>
  tf.tidy(() => {
    const side = sideOf(model.name as ModelName);
    return model.forward(weights, tf.ones([2, side, side, 3]), pass).logits.dataSync() as Float32Array;
  });

beforeAll(() => loadBackend('wasm'));

describe.each(modelNames)('%s', (name) => {
  test('says which seams its forward pass has, and how long what they take and give is', () => {
    const model = small(name);
    const passed: object[] = [];
    logitsOf(model, weightsOf(model), {
      ...PASS,
      at(seam, x, part) {
        const y = part(x);
        passed.push({ name: seam, in: x.shape.at(-1), out: y.shape.at(-1) });
        return y;
      },
    });
    const sorted = (seams: readonly object[]) => seams.map((seam) => JSON.stringify(seam)).sort();
    expect(sorted(model.seams ?? [])).toEqual(sorted(passed));
  });
});

describe('wrapped seams', () => {
  const model = small('resnet18-cifar');
  const halved = (name: string, factor = 0.5): Record<string, Parameters<typeof wrapSeams>[1][string]> => ({
    [name]: (part, x) => part(x).mul(factor),
  });

  test('a wrapped part gives what its wrap gives; the rest is as it was', () => {
    const weights = weightsOf(model);
    const seen: number[][] = [];
    const wrapped = wrapSeams(model, {
      'stage4/block2': (part, x, given) => {
        seen.push(x.shape);
        expect(given).toBe(weights);
        return part(x).mul(3);
      },
    });
    const bias = weights['classifier/bias']!.dataSync();
    const [plain, tripled] = [logitsOf(model, weights), logitsOf(wrapped, weights)];
    expect(seen).toEqual([[2, 4, 4, 64]]);
    tripled.forEach((logit, i) => {
      const own = bias[i % 3]!;
      expect(logit - own).toBeCloseTo(3 * (plain[i]! - own), 4);
    });
  });

  test('of two wraps of one seam the later is the outer', () => {
    const order: string[] = [];
    const noted = (of: Model, who: string): Model =>
      wrapSeams(of, {
        'stage1/block1': (part, x) => {
          order.push(who);
          return part(x);
        },
      });
    logitsOf(noted(noted(model, 'first'), 'second'), weightsOf(model));
    expect(order).toEqual(['second', 'first']);
  });

  test('a seam inside of a wrapped one is wrapped too', () => {
    const weights = weightsOf(model);
    const both = wrapSeams(model, { ...halved('stage4/block2', 2), ...halved('stage4/block2/conv2', 0) });
    // Without its branch, a block gives what it was given: x is not negative.
    const skipped = wrapSeams(model, { 'stage4/block2': (_, x) => x.mul(2) });
    const [one, other] = [logitsOf(both, weights), logitsOf(skipped, weights)];
    one.forEach((logit, i) => void expect(logit).toBeCloseTo(other[i]!, 5));
  });

  test('a model without plugins runs its part', () => {
    expect(atSeam({}, 'any', tf.scalar(2), (x) => x.square()).dataSync()).toEqual(Float32Array.of(4));
  });
});

describe('patterns', () => {
  const model = small('resnet18-cifar');
  const names = (...patterns: string[]) => selectSeams(model, patterns).map(({ name }) => name);

  test('name seams in the order of the model, * within a part of the name', () => {
    expect(names('stage2/block*', 'stage1/block1')).toEqual(['stage1/block1', 'stage2/block1', 'stage2/block2']);
    expect(names('stage2/block1/shortcut')).toEqual(['stage2/block1/shortcut']);
    expect(names('*/block1')).toEqual(['stage1/block1', 'stage2/block1', 'stage3/block1', 'stage4/block1']);
  });

  test('that name nothing are refused with what there is', () => {
    expect(() => names('stage1/block1', 'block*/mlp')).toThrow(
      'model resnet18-cifar: expected a seam "block*/mlp", a part that plugins may wrap; its seams are stem, stage*/block*, stage*/block*/conv1, stage*/block*/conv2, stage*/block*/shortcut. Set the plugin\'s option that names them, or choose another model.',
    );
    expect(() => selectSeams(small('mlp'), ['block1'])).toThrow('it has no seams');
    // A dot is a dot.
    expect(() => names('stage.')).toThrow('expected a seam "stage."');
  });
});
