import { loadBackend } from '../backend/load.ts';
import { displayPath } from '../errors.ts';
import { signatureFor } from '../step/signature.ts';
import { bestCheckpointPath } from '../tracking/checkpoint.ts';
import type { CheckpointChoice } from '../tracking/choose-checkpoint.ts';
import { evaluate as evaluateSubset } from '../train/evaluate.ts';
import { openFit } from '../train/fit.ts';
import { openRun } from '../trained/open.ts';
import { splitOf } from '../trained/split.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
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
  const overrides = overridesOf(flags);
  const run = await openRun(wanted, { ...context, set, overrides, checkpoint, strict, readImages: true });
  const { directory, snapshot, checkpoint: path } = run;
  const passedOver = tellPassedOver(run.damaged);
  const isBestOnTest = path === bestCheckpointPath(directory, 'test');
  const { subset, otherData } = splitOf(run, split, allowOtherData);
  const fit = await openFit(run, run.composition, await loadBackend(run.options.backend));
  try {
    const signature = signatureFor(fit.program, 'predict', {});
    const evaluation = await evaluateSubset(fit.engine, signature, fit.loader, subset, run.info);
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
      const onSplit = split === 'test' ? [] : ['--split', split];
      tellNext([commandLine('mistakes', displayPath(directory), ...onSplit), 'the images that it gets wrong']);
    }
    return 0;
  } finally {
    await fit.loader.close();
    fit.engine.dispose();
  }
}
