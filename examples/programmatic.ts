import { createTrainer } from 'tailmix';
import drw from 'tailmix/plugins/drw';
import lrSchedule from 'tailmix/plugins/lr-schedule';
import mixup from 'tailmix/plugins/mixup';
import remix from 'tailmix/plugins/remix';

/** Remix-DRW on long-tailed digits from code: no config, no files; the result comes back as data. */
export async function remixDrw(epochs: number) {
  const trainer = createTrainer({
    data: { name: 'digits', ratio: 100 },
    model: { name: 'small-cnn' },
    train: { epochs, batchSize: 64 },
    plugins: [lrSchedule({ milestones: [0.6, 0.8] }), mixup(), remix({ kappa: 3 }), drw({ deferUntil: 0.8 })],
  });
  const { summary } = await trainer.run();
  return summary.last!;
}

if (process.argv[1] === import.meta.filename) {
  const { accuracy, balancedAccuracy, few } = await remixDrw(20);
  console.log({ accuracy, balancedAccuracy, few });
}
