import { trainerOptions } from '../../config/trainer-options.ts';
import { displayPath, TailmixError } from '../../errors.ts';
import { meanSquare } from '../../train/features.ts';
import { planRun } from '../../train/plan-run.ts';
import { readData } from '../../train/prepare.ts';
import { type MethodsOptions, methodsConfig, runMethods } from '../compare/run-methods.ts';
import { knownPlugins } from '../context.ts';
import { compareNoValidation } from '../errors.ts';
import { INTERRUPTED, watchInterrupts } from '../interrupt.ts';
import { tell } from '../output.ts';
import { stageProgress } from '../stage-progress.ts';
import { BASELINE, type FeatureSet, headConfigs, networkOf } from './heads.ts';

/** Options of `tailmix probe`. */
export interface ProbeOptions extends MethodsOptions {
  /** Also classifiers with other hyper-parameters. */
  tune?: boolean;
}

/** `tailmix probe`: classifiers on the features of a network that stays as it is, and which of them to use. */
export async function probe(paths: readonly string[], options: ProbeOptions): Promise<number> {
  const config = await methodsConfig('probe', paths, options);
  const { data, plugins: _, train: __, ...run } = trainerOptions(config);
  const { augment: ___, ...images } = data as Exclude<typeof data, { train: unknown }>;
  const model = config.model ?? (networkOf(config) as typeof run.model);
  const { crops: ____, ...evaluate } = run.evaluate ?? {};
  const wanted = { ...run, evaluate, model, data: { ...images, features: true } };
  const { info, brief } = await planRun({ ...wanted, known: await knownPlugins() });
  if (info.validationCount === 0) throw compareNoValidation(paths.map(displayPath).join(' '));
  // What the classifiers are trained with is not the config's.
  tell(brief.replaceAll(/\n(steps|plugins) .*/g, ''));
  const features = await featureSet({ ...wanted, train: { precision: config.options.train.precision } });
  if (features === null) return INTERRUPTED;
  const methods = headConfigs(config, features, options.tune);
  return runMethods({ command: 'probe', methods, config, baseline: BASELINE, announce: 'trains' }, options);
}

/** Computes the features that are not there yet; null where it was interrupted. */
async function featureSet(run: Parameters<typeof readData>[0]): Promise<FeatureSet | null> {
  const progress = stageProgress();
  const interruption = watchInterrupts('what is computed of this split is lost; the same command goes on with it.');
  try {
    const { info, train } = await readData({
      ...run,
      signal: interruption.signal,
      onDataProgress: progress.onRead,
    });
    return { classCounts: Array.from(train.classCounts), meanSquare: await meanSquare(info, train) };
  } catch (error) {
    if (error instanceof TailmixError && error.code === 'INTERRUPTED') return null;
    throw error;
  } finally {
    progress.stop();
    interruption.stop();
  }
}
