import { z } from 'zod';
import { registry } from '../../plugins/index.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { settings } from '../plugins/settings.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const MIXER: Readonly<Record<string, string>> = {
  'infinite-class-mixup': 'mixup',
  mamix: 'mixup',
  regmixup: 'mixup',
  remix: 'mixup',
};

export const pluginsNamed = (names: readonly string[]): Promise<Plugin[]> =>
  Promise.all(
    names.map(async (name) => {
      const factory: (options?: Record<string, unknown>) => Plugin = (await registry[name as keyof typeof registry]!())
        .default;
      return factory(settings[name]!.reads);
    }),
  );

/** Trains on 20 images; the last batch of an epoch is smaller. `begun` is the run before its first step, `first` its state after it. */
export async function train(
  step: TrainOptions['step'],
  model: TrainerOptions['model'],
  names: readonly string[],
  precision: TrainOptions['precision'] = 'fp32',
  learningRate = 0.01,
  device: TrainOptions['device'] = 'cpu',
  { epochs = 7, resume }: { epochs?: number; resume?: Snapshot } = {},
) {
  const losses: number[] = [];
  let begun: Snapshot | undefined;
  let first: Record<string, Float32Array> | undefined;
  let ran: string | undefined;
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply({ hooks }) {
      let snapshot: () => Snapshot;
      hooks.onTrainBegin.tap('observer', (run) => {
        snapshot = () => run.snapshot();
        begun = structuredClone(snapshot());
        const { mode, precision: computed, device: on } = run.engine;
        ran = `${mode} ${computed}${on === undefined ? '' : ` on ${on}`}`;
      });
      hooks.onBatchEnd.tap('observer', ({ loss }) => {
        losses.push(loss);
        first ??= valuesOf(snapshot());
      });
    },
  });
  const { snapshot } = await createTrainer({
    data: { ...squares([10, 5, 3, 2]), validation: squares().test },
    model,
    plugins: [...(await pluginsNamed(names)), observer()],
    train: { epochs, batchSize: 8, step, precision, device, optimizer: { name: 'sgd', learningRate } },
    directory: await temporaryFolder(),
    ...(resume && { resume }),
  }).run();
  return { ran, losses, begun: begun!, first: first!, state: valuesOf(snapshot!) };
}

const valuesOf = ({ state }: Snapshot): Record<string, Float32Array> =>
  mapValues(state, ({ values }) => values.slice());

/** A plugin with the mixer that it needs. */
export const withMixer = (name: string): string[] => (name in MIXER ? [MIXER[name]!, name] : [name]);

/** Plugins that go together. */
export const combinations = [
  ['plain', []],
  ['mixing pixels and labels', ['mixup', 'remix', 'drw']],
  ['mixing features', ['manifold-mixup', 'label-smoothing']],
  ['pasting', ['cutmix', 'ema', 'balanced-softmax']],
  ['two passes', ['sam', 'focal']],
  ['two branches', ['bbn']],
  ['three experts', ['experts', 'mixup', 'remix', 'label-smoothing']],
] as const;
