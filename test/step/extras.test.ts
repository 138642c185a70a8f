import { expect, test } from 'vitest';
import experts from '../../plugins/experts/index.ts';
import tta from '../../plugins/tta/index.ts';
import {
  createEngine,
  createOptimizer,
  createStepProgram,
  definePlugin,
  loadBackend,
  type Plugin,
  planRun,
  randomStream,
  signatureFor,
  z,
} from '../../src/index.ts';
import { messageOfError } from '../support/message.ts';
import { describeNative } from './captured-support.ts';

const ROWS = 6;
const names = ['experts/1', 'experts/2'];

/** What a prediction gives, with extras of the model. */
async function predicted(
  step: 'eager' | 'captured',
  { extras = names, plugins = [] }: { extras?: readonly string[]; plugins?: readonly Plugin[] } = {},
) {
  const { model, composition, info } = await planRun({
    data: { name: 'digits' },
    model: { name: 'mlp', width: 8 },
    plugins: [experts({ count: 2 }), ...plugins],
  });
  const program = createStepProgram(
    model,
    { ...composition, extras },
    {
      ...info,
      batchSizes: [ROWS],
      evaluateBatchSize: ROWS,
      optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0, nesterov: false, weightDecay: 0 }),
    },
  );
  const engine = await createEngine(program, await loadBackend(), { step, precision: 'fp32' });
  const random = randomStream('pixels');
  const images = Uint8Array.from({ length: ROWS * 28 * 28 }, () => random.integer(256));
  const outputs = engine.run(signatureFor(program, 'predict', {}), { images });
  expect(engine.mode).toBe(step);
  engine.dispose();
  return outputs as Record<string, Float32Array>;
}

describeNative('extras of a prediction', () => {
  test('are of the pass that is predicted, captured as eager; nobody has them who does not ask', async () => {
    expect(Object.keys(await predicted('captured', { extras: [] }))).toEqual(['logits']);
    const [eager, captured] = [await predicted('eager'), await predicted('captured')];
    expect(Object.keys(captured).sort()).toEqual(['extra/experts/1', 'extra/experts/2', 'logits']);
    const [first, second] = names.map((name) => captured[`extra/${name}`]!);
    expect(first).toHaveLength(ROWS * 10);
    expect([...first!]).not.toEqual([...second!]);
    for (const [i, logit] of captured.logits!.entries()) expect(logit).toBeCloseTo((first![i]! + second![i]!) / 2, 5);
    for (const [name, values] of Object.entries(captured))
      for (const [i, value] of values.entries()) expect(value, name).toBeCloseTo(eager[name]![i]!, 5);
  });

  test('are those of other weights, as an average, where these predict', async () => {
    const twice = definePlugin({
      name: 'twice',
      options: z.strictObject({}),
      apply({ hooks }) {
        hooks.buildPrediction.tap('twice', (predict) => (weights, slots, images, pass) => {
          const own = Object.keys(weights).filter((one) => one.startsWith('experts/2/classifier/'));
          const doubled = Object.fromEntries(own.map((one) => [one, weights[one]!.mul(2)]));
          return predict({ ...weights, ...doubled }, slots, images, pass);
        });
      },
    });
    const [plain, changed] = [await predicted('captured'), await predicted('captured', { plugins: [twice({})] })];
    expect(changed['extra/experts/1']).toEqual(plain['extra/experts/1']);
    for (const [i, logit] of changed['extra/experts/2']!.entries())
      expect(logit).toBeCloseTo(2 * plain['extra/experts/2']![i]!, 5);
  });
});

const other = definePlugin({
  name: 'other',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.buildPrediction.tap(
      'other',
      (predict) =>
        (...given) =>
          predict(...given).mul(2),
    );
  },
});

test('a prediction of several passes, or of other logits, has none', async () => {
  const refused = (plugin: Plugin) => messageOfError(() => predicted('eager', { plugins: [plugin] }));
  expect(await refused(tta({}))).toBe(
    "[tta] buildPrediction: expected a prediction that is the model's logits, to be made of its other outputs in their place; got another. Leave out what changes predictions (views, temperatures, priors).",
  );
  expect(await refused(other({}))).toContain('[other] buildPrediction: expected a prediction that is');
});

test('an output that the model does not give', async () => {
  expect(await messageOfError(() => predicted('eager', { extras: ['experts/7'] }))).toBe(
    'adapt: expected outputs of the model with a row for each image; got "experts/7", perhaps "experts/1".',
  );
});
