import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { GraphProgram } from '../../src/graph/index.ts';
import { openProgram } from '../../src/pjrt/index.ts';
import { definePlugin } from '../../src/plugin.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { programOf, relativeDistance, signature, waves } from '../step/captured-support.ts';
import { squares } from '../support/squares.ts';
import { describeDevice, plugin } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Momentum of a quarter of a million weights. */
const descent = (size = 2 ** 18): GraphProgram =>
  programOf(
    ({ w, v }, { x }) => {
      const next = v!.mul(0.9).add(x!);
      return { state: { v: next, w: w!.sub(next.mul(0.1)) }, outputs: { sum: w!.sum(), most: w!.argMax() } };
    },
    { x: [[size], 'float32'] },
    waves({ w: [size], v: [size] }),
  );
const step = (size = 2 ** 18) => signature('step', { x: [[size], 'float32'] });

describeDevice('an engine on a device', (use) => {
  test('computes as the eager one, and takes and gives state', () => {
    const { backend, device } = use();
    const [eager, opened] = [createEagerEngine(descent(6)), openProgram(descent(6), backend, device)];
    const x = Float32Array.of(1, -2, 3, -4, 5, -6);
    for (let i = 0; i < 3; i++) {
      const [a, b] = [eager.run(step(6), { x }), opened.run(step(6), { x })];
      expect(b.most).toEqual(a.most);
      expect(b.sum![0]).toBeCloseTo(a.sum![0]!, 5);
    }
    // A product and a sum may be rounded once.
    expect(relativeDistance(opened.read(), eager.read())).toBeLessThan(1e-7);
    expect(Object.keys(opened.read(['v']))).toEqual(['v']);
    opened.write({ w: new Float32Array(6).fill(7) });
    expect(opened.run(step(6), { x }).sum![0]).toBe(42);
    opened.dispose();
    expect(() => opened.run(step(6), { x })).toThrow('expected a live engine');
    expect(() => opened.read()).toThrow('expected a live engine');
    opened.dispose();
  });

  test('its memory is flat over many steps: state is replaced in place, what is fed and given is freed', () => {
    const { backend, device } = use();
    const size = 2 ** 16;
    const opened = openProgram(descent(size), backend, device);
    const x = new Float32Array(size);
    const resident = (steps: number): number => {
      let unread = opened.start(step(size), { x });
      for (let i = 1; i < steps; i++) {
        const next = opened.start(step(size), { x });
        unread();
        unread = next;
      }
      unread();
      return process.memoryUsage().rss / 2 ** 20;
    };
    const sizes = Array.from({ length: 5 }, () => resident(1000));
    // Three arrays of a quarter of a MiB a step: at least 250 MiB more each time if one of them stayed.
    const growths = sizes.slice(1).map((size, i) => size - sizes[i]!);
    expect(Math.min(...growths)).toBeLessThan(50);
    expect(sizes.at(-1)! - sizes[0]!).toBeLessThan(200);
    opened.dispose();
  });

  test('a step may be started before the outputs of the one before it are read; what it was fed may change meanwhile', () => {
    const { backend, device } = use();
    const [one, two] = [openProgram(descent(6), backend, device), openProgram(descent(6), backend, device)];
    const x = Float32Array.of(1, -2, 3, -4, 5, -6);
    const read = Array.from({ length: 4 }, (_, i) => one.run(step(6), { x: x.map((value) => value + i) }));
    const fed = new Float32Array(6);
    const started = Array.from({ length: 4 }, (_, i) => {
      fed.set(x.map((value) => value + i));
      return two.start(step(6), { x: fed });
    });
    expect(started.map((outputs) => outputs())).toEqual(read);
    expect(two.read()).toEqual(one.read());
    one.dispose();
    two.dispose();
  });

  test('what it is fed is checked, for a plugin would take a number for another', () => {
    const { backend, device } = use();
    const opened = openProgram(descent(6), backend, device);
    const wrong = { x: new Int32Array(6) } as unknown as { x: Float32Array };
    expect(() => opened.run(step(6), wrong)).toThrow('step step, input x: expected float32[6], got Int32Array of 6');
    expect(() => opened.run(step(6), { x: new Float32Array(5) })).toThrow('expected float32[6], got Float32Array of 5');
    expect(() => opened.write({ w: new Float32Array(5) })).toThrow('expected a Float32Array of 6');
    opened.dispose();
  });

  test('an argument of another type or shape is refused before the plugin has it', () => {
    const { device } = use();
    const spec = { shape: [2], dtype: 1 };
    const text =
      'module @step {\n func.func public @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n return %a : tensor<2xf32>\n }\n}';
    const lowered = {
      text,
      parameters: [{ kind: 'input' as const, name: 'a', spec, split: false }],
      nextState: [],
      outputs: [{ name: 'a', spec }],
      originOf: () => ({}),
    };
    const program = device.compile('same', lowered);
    const other = device.upload(Int32Array.of(1, 2), { shape: [2], dtype: 3 });
    const turned = device.upload(Float32Array.of(1, 2), { shape: [1, 2], dtype: 1 });
    expect(() => device.run(program, [other])).toThrow(
      'device, "same", argument a: expected float32[2], got int32[2].',
    );
    expect(() => device.run(program, [turned])).toThrow('expected float32[2], got float32[1, 2].');
    expect(() => device.run(program, [])).toThrow('expected float32[2], got nothing.');
    device.free(turned);
    expect(() => device.download([turned])).toThrow('device, computing: the buffer was freed');
  });

  test('an error of the compiler names op and plugin of its line', () => {
    const { device } = use();
    const spec = { shape: [2], dtype: 1 };
    const text =
      'module @step {\n func.func public @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n %b = stablehlo.nothing %a : tensor<2xf32>\n return %b : tensor<2xf32>\n }\n}';
    const originOf = (line: number) => (line === 3 ? { op: 'Relu', owner: 'mixup' } : {});
    const lowered = {
      text,
      parameters: [{ kind: 'input' as const, name: 'a', spec, split: false }],
      nextState: [],
      outputs: [{ name: 'a', spec }],
      originOf,
    };
    expect(() => device.compile('train', lowered)).toThrow('[mixup] device, "train": the plugin does not compile Relu');
  });
});

const failing = (name: string, build: () => tf.Tensor) =>
  definePlugin({
    name,
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.buildLoss.tap(name, (loss) => ({
        ...loss,
        termLoss: (...given) => loss.termLoss(...given).add(build()),
      }));
    },
  })();

const training = (plugins: NonNullable<TrainerOptions['plugins']>, train: object = {}): TrainerOptions => ({
  data: squares(),
  model: { name: 'mlp' },
  plugins,
  train: { epochs: 2, batchSize: 8, device: 'pjrt', ...train },
});

describeDevice('a run on a device', () => {
  test('an op that is not lowered is refused, naming it and its plugin', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const crop = () =>
      tf.image
        .cropAndResize(tf.ones([1, 2, 2, 1]), [[0, 0, 1, 1]], [0], [1, 1])
        .sum()
        .mul(0);
    await expect(createTrainer(training([failing('cropper', crop)])).run()).rejects.toMatchObject({
      code: 'PJRT_OP',
      plugin: 'cropper',
      op: 'CropAndResize',
    });
  });

  test('a loss that is not finite ends it at its step', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const ended = async (device: 'cpu' | 'pjrt') => {
      const seen: number[] = [];
      const watcher = definePlugin({
        name: 'watcher',
        options: z.strictObject({}),
        apply: ({ hooks }) => hooks.onBatchEnd.tap('watcher', ({ step }) => void seen.push(step)),
      })();
      const settings = { device, optimizer: { name: 'sgd', learningRate: 1e30 } };
      const error = await createTrainer(training([watcher], settings))
        .run()
        .catch((error: Error) => error);
      expect(error).toMatchObject({ code: expect.stringMatching(/^(LOSS|GRADIENT)_NOT_FINITE$/) });
      return { step: /step \d+/.exec((error as Error).message)![0], seen };
    };
    expect(await ended('pjrt')).toEqual(await ended('cpu'));
  });

  test('settings that a device does not have, and a plugin that is none, are refused', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    await expect(createTrainer(training([], { step: 'eager' })).run()).rejects.toMatchObject({
      code: 'DEVICE_SETTING',
    });
    vi.stubEnv('TAILMIX_PJRT', '/nowhere/plugin.so');
    await expect(createTrainer(training([])).run()).rejects.toMatchObject({ code: 'PJRT_PLUGIN', kind: 'config' });
    vi.stubEnv('TAILMIX_PJRT', '');
    await expect(createTrainer(training([])).run()).rejects.toMatchObject({ code: 'PJRT_MISSING', kind: 'config' });
  });

  test('resumed, it is to the bit what it would have been', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const whole = await createTrainer(training([], { epochs: 4 })).run();
    const begun = await createTrainer(training([], { epochs: 2 })).run();
    const resumed = await createTrainer({ ...training([], { epochs: 4 }), resume: begun.snapshot! }).run();
    expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
    expect(resumed.summary.device).toBe(whole.summary.device);
    expect(whole.summary.device).toBeTruthy();
  });
});
