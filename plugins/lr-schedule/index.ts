import { definePlugin, epochOption, resolveEpoch, z } from 'tailmix';
import { factorCount, milestoneOrder } from './errors.ts';

const name = 'lr-schedule';

const by = (what: string) => z.enum(['epoch', 'step']).default('epoch').describe(`Change ${what} by epoch or by step.`);

const options = z.strictObject({
  schedule: z
    .enum(['multistep', 'cosine', 'constant'])
    .default('multistep')
    .describe('How the rate falls after the warm-up.'),
  warmup: epochOption().default(5).describe('Epochs of linear warm-up, or a fraction of the run; 0 for none.'),
  warmupFrom: z.number().min(0).max(1).default(0).describe('Factor from which the warm-up climbs to 1.'),
  warmupBy: by('the warm-up'),
  milestones: z
    .array(epochOption())
    .default([0.8, 0.9])
    .describe(
      'multistep: epochs (or fractions of the run) after which the rate falls; 160 lowers it from epoch 161 on.',
    ),
  gamma: z
    .union([z.number().positive(), z.array(z.number().positive())])
    .default(0.01)
    .describe('multistep: factor at each milestone, or a list of absolute factors, one per milestone.'),
  minimum: z.number().min(0).default(0).describe('cosine: learning rate at which it ends.'),
  cosineBy: by('the cosine'),
});

type Schedule = z.output<typeof options>;

/** Where a step stands, and how long the run is. Epochs and steps count from 1. */
export interface Moment {
  epoch: number;
  stepInEpoch: number;
  epochs: number;
  stepsPerEpoch: number;
}

/**
 * Learning rate of a step: `base` × warm-up × decay.
 *
 * - Warm-up over W epochs: f + (1 − f) · e/W in epoch e ≤ W (f = `warmupFrom`; by step, e/W counts steps).
 * - multistep: γ per milestone passed, or the absolute factor of the last one passed.
 * - cosine: minimum + (base − minimum) · (1 + cos πt) / 2, where t runs from 0 after the warm-up to 1 at the end of
 *   the run and is that of the beginning of the epoch or step (Loshchilov and Hutter 2017, eq. 5, without restarts).
 *
 * @param base - the optimizer's learning rate
 */
export function learningRateAt(base: number, moment: Moment, schedule: Schedule): number {
  const { epochs, stepsPerEpoch } = moment;
  const done = moment.epoch - 1 + (moment.stepInEpoch - 1) / stepsPerEpoch;
  const warmup = resolveEpoch(schedule.warmup, epochs);
  if (moment.epoch <= warmup) {
    const reached = schedule.warmupBy === 'step' ? done + 1 / stepsPerEpoch : moment.epoch;
    return base * (schedule.warmupFrom + (1 - schedule.warmupFrom) * (reached / warmup));
  }
  if (schedule.schedule === 'multistep') return base * multistepFactor(moment, schedule);
  if (schedule.schedule === 'constant') return base;
  const t = ((schedule.cosineBy === 'step' ? done : moment.epoch - 1) - warmup) / (epochs - warmup);
  return schedule.minimum + ((base - schedule.minimum) * (1 + Math.cos(Math.PI * t))) / 2;
}

/**
 * Learning rate over the run: a linear warm-up, then step decay, cosine decay or a constant rate.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [lrSchedule({ schedule: 'multistep', warmup: 5, milestones: [160, 180], gamma: [0.01, 0.0001] })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: lr-schedule
 *     schedule: multistep
 *     warmup: 5
 *     milestones: [160, 180]
 *     gamma: [0.01, 0.0001]
 * ```
 */
export default definePlugin({
  name,
  options,
  provides: ['learning-rate'],
  apply({ hooks, info: { epochs, stepsPerEpoch }, warn }, schedule) {
    checkSchedule(schedule, epochs);
    if (resolveEpoch(schedule.warmup, epochs) >= epochs) {
      warn('NOT_INTENDED', `warmup ${schedule.warmup} takes the whole run of ${epochs} epochs.`);
    }
    if (schedule.schedule === 'multistep') {
      const late = schedule.milestones.filter((milestone) => resolveEpoch(milestone, epochs) >= epochs);
      if (late.length > 0) {
        warn('NO_EFFECT', `milestones ${late.join(', ')} are not before the last epoch, ${epochs}: never reached.`);
      }
    }
    hooks.computeLearningRate.tap(name, (base, { epoch, stepInEpoch }) =>
      learningRateAt(base, { epoch, stepInEpoch, epochs, stepsPerEpoch }, schedule),
    );
  },
});

function checkSchedule({ milestones, gamma }: Schedule, epochs: number): void {
  const moments = milestones.map((milestone) => resolveEpoch(milestone, epochs));
  if (moments.slice(1).some((moment, i) => moment < moments[i]!)) throw milestoneOrder(moments, epochs);
  if (Array.isArray(gamma) && gamma.length !== milestones.length) throw factorCount(milestones.length, gamma.length);
}

function multistepFactor({ epoch, epochs }: Moment, { milestones, gamma }: Schedule): number {
  const passed = milestones.filter((milestone) => epoch > resolveEpoch(milestone, epochs)).length;
  return Array.isArray(gamma) ? (gamma[passed - 1] ?? 1) : gamma ** passed;
}
