// What a user's program may and may not write, checked by each version of TypeScript that is supported.
import { createTrainer, defineConfig, definePlugin, loadConfig, type RunInput, TailmixError, tf, z } from 'tailmix';
import * as graph from 'tailmix/graph';
import * as mlflow from 'tailmix/mlflow';
import { defaults, registry } from 'tailmix/plugins';
import mixup from 'tailmix/plugins/mixup';
import remix from 'tailmix/plugins/remix';
import { loadPredictor } from 'tailmix/predict';
import * as tracking from 'tailmix/tracking';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(yes: Equal<A, B>): boolean => yes;

export const trainer = createTrainer({
  data: { name: 'digits', ratio: 100 },
  model: { name: 'small-cnn' },
  train: { epochs: 2, batchSize: 64 },
  plugins: [mixup({ alpha: 0.4 }), remix({ kappa: 3 })],
});
export const balanced = trainer.run().then(({ summary }) => summary.last?.balancedAccuracy);
same<Awaited<typeof balanced>, number | undefined>(true);

export const config = {
  data: { name: 'digits' },
  model: { name: 'small-cnn' },
  train: { optimizer: { name: 'adamw', learningRate: 0.001 } },
  plugins: [mixup(), { use: 'remix', kappa: 3 }],
} satisfies RunInput;

export const defined = defineConfig({
  data: { name: 'digits' },
  model: { name: 'small-cnn' },
  train: { epochs: 2 },
  plugins: [mixup(), { use: 'remix', kappa: 3 }],
});
same<typeof defined.train.epochs, number>(true);

export const own = definePlugin({
  name: 'own',
  options: z.strictObject({ strength: z.number().default(1) }),
  apply({ hooks }, { strength }) {
    same<typeof strength, number>(true);
    hooks.buildLoss.tap('own', (loss) => ({
      ...loss,
      penalties: { ...loss.penalties, own: ({ features }) => tf.mul(features.square().mean(), strength) },
    }));
  },
});
own({ strength: 2 });
own();

export async function classify(file: string): Promise<string | undefined> {
  try {
    const predictor = await loadPredictor('runs/a');
    const { top } = await predictor.predict(file, { top: 3 });
    await predictor.dispose();
    return top[0]?.class;
  } catch (error) {
    return error instanceof TailmixError ? error.code : undefined;
  }
}
export const resolved = loadConfig('a.yaml', { registry, defaults, set: ['train.epochs=3'] });
export const rooms = [graph, mlflow, tracking];

// @ts-expect-error the option is called epochs
createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, train: { epoch: 2 } });
// @ts-expect-error the option is called epochs
defineConfig({ data: { name: 'digits' }, model: { name: 'mlp' }, train: { epoch: 2 } });
// @ts-expect-error the batch size is a number
createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, train: { batchSize: '64' } });
// @ts-expect-error kappa is a number
remix({ kappa: 'three' });
// @ts-expect-error the option is called alpha
mixup({ alfa: 1 });
// @ts-expect-error a plugin is made by its function
createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: ['mixup'] });
// @ts-expect-error strength is a number
own({ strength: '1' });
