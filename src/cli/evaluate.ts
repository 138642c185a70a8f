import { join } from 'node:path';
import { loadBackend } from '../backend/load.ts';
import { compose } from '../compose/compose.ts';
import { loadConfig } from '../config/load.ts';
import { trainerOptions } from '../config/trainer-options.ts';
import { differingParts, expectSameData, identityOf } from '../data/identity.ts';
import { displayPath } from '../errors.ts';
import { signatureFor } from '../step/signature.ts';
import { bestCheckpointPath } from '../tracking/checkpoint.ts';
import { type CheckpointChoice, chooseCheckpoint } from '../tracking/choose-checkpoint.ts';
import { findRun, runFiles } from '../tracking/run-directory.ts';
import { evaluate as evaluateSubset } from '../train/evaluate.ts';
import { openFit } from '../train/fit.ts';
import { optionsAt } from '../train/phases.ts';
import { prepare } from '../train/prepare.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { noValidationSplit } from './errors.ts';
import { print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix evaluate`. */
export interface EvaluateCommandOptions extends ConfigFlags, CheckpointChoice {
  split: 'test' | 'validation';
  json?: boolean;
  allowOtherData?: boolean;
}

/** `tailmix evaluate`: a checkpoint of a run on a split, with its own settings or others. */
export async function evaluate(
  wanted: string,
  { set = [], split, checkpoint, strict, json, allowOtherData = false, ...flags }: EvaluateCommandOptions,
): Promise<number> {
  const directory = await findRun(wanted);
  const config = await loadConfig(join(directory, runFiles.config), { ...context, set, overrides: overridesOf(flags) });
  const { snapshot, path, damaged } = await chooseCheckpoint(directory, { checkpoint, strict });
  const passedOver = tellPassedOver(damaged);
  const isBestOnTest = path === bestCheckpointPath(directory, 'test');
  const options = optionsAt(trainerOptions(config), snapshot.epoch);
  const preparation = await prepare({ ...options, resume: snapshot });
  const { data, info } = preparation;
  const subset = data[split];
  if (!subset) throw noValidationSplit(displayPath(directory));
  const trained = snapshot.data;
  const evaluated = identityOf(data);
  const parts = ['dataset', 'classes', 'train', split] as const;
  if (trained && !allowOtherData) expectSameData(displayPath(directory), trained, evaluated, parts);
  const otherData =
    trained && differingParts(trained, evaluated, parts).length > 0 ? { trained, evaluated } : undefined;
  const composition = compose(options.plugins ?? [], info, options.known);
  const fit = await openFit(preparation, composition, await loadBackend(options.backend));
  try {
    const signature = signatureFor(fit.program, 'predict', {});
    const evaluation = await evaluateSubset(fit.engine, signature, fit.loader, subset, info);
    if (json)
      printJson({
        run: directory,
        checkpoint: path,
        passedOver,
        epoch: snapshot.epoch,
        split,
        ...(otherData && { otherData }),
        ...evaluation,
      });
    else {
      const share = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(2)} %`);
      const { count, accuracy, balancedAccuracy, many, medium, few, worstClass, macroF1, ece } = evaluation;
      const rows = [
        [
          'run',
          `${displayPath(directory)}, epoch ${snapshot.epoch}${isBestOnTest ? ', chosen on the test set (optimistic)' : ''}, ${split} split, ${count} images`,
        ],
        ...(otherData ? [['data', 'not those that it was trained on (--allow-other-data)'] as const] : []),
        ['accuracy', `${share(accuracy)}, balanced ${share(balancedAccuracy)}`],
        ['many, medium, few', [many, medium, few].map(share).join(', ')],
        ['worst class', `${worstClass.name}, ${share(worstClass.accuracy)}`],
        ['macro F1, ECE', `${macroF1.toFixed(4)}, ${ece.toFixed(4)}`],
      ] as const;
      print(rows.map(([title, text]) => `${title.padEnd(20)}${text}`).join('\n'));
    }
    return 0;
  } finally {
    await fit.loader.close();
    fit.engine.dispose();
  }
}
