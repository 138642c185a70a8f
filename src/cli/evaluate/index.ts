import { loadBackend } from '../../backend/load.ts';
import type { RunContext } from '../../config/load.ts';
import { displayPath } from '../../errors.ts';
import { furtherFigures } from '../../metrics/further.ts';
import { keptTable } from '../../metrics/logits.ts';
import { shifts } from '../../metrics/shift.ts';
import { bestCheckpointPath } from '../../tracking/checkpoint.ts';
import type { CheckpointChoice } from '../../tracking/choose-checkpoint.ts';
import { evaluateSplit, logitPrior } from '../../train/evaluate-split.ts';
import { openFit } from '../../train/fit.ts';
import { onDeviceHere } from '../../trained/device-here.ts';
import { openRun } from '../../trained/open.ts';
import { shiftedSubset } from '../../trained/shifted.ts';
import { splitOf } from '../../trained/split.ts';
import { type ConfigFlags, context, overridesOf } from '../context.ts';
import { commandLine, tellNext } from '../next.ts';
import { print, printJson, tellPassedOver } from '../output.ts';
import { adapting, evaluateAdapted, showAdapted } from './adapted.ts';
import { fromLogits } from './from-logits.ts';
import { outOfDistribution, outsideFiles } from './ood.ts';
import { intervalsOf, type MetricsSection, show } from './show.ts';

/** Options of `tailmix evaluate`. */
export interface EvaluateCommandOptions extends ConfigFlags, CheckpointChoice, Pick<RunContext, 'trust' | 'sources'> {
  split: 'test' | 'validation';
  json?: boolean;
  allowOtherData?: boolean;
  /** Sections of figures to print in addition. */
  metrics?: MetricsSection[];
  /** Reads the logits that the run has kept, and neither model nor images. */
  fromLogits?: boolean;
  /** Evaluates a prediction too that is fitted to the images of the split, without their labels. */
  adapt?: boolean;
  /** Name of a shifted test set: images of the split in its proportions. */
  shift?: string;
  /** Folder of images that are of none of the classes. */
  ood?: string;
}

/** `tailmix evaluate`: a checkpoint of a run on a split, with its own settings or others. */
export async function evaluate(wanted: string, options: EvaluateCommandOptions): Promise<number> {
  const { set = [], split, checkpoint, strict, trust, sources, json, ...rest } = options;
  const { fromLogits: readsLogits, ood: folder, allowOtherData = false, metrics = [], adapt, shift, ...flags } = rest;
  if (readsLogits) return fromLogits(wanted, { split, metrics, json });
  const overrides = overridesOf(flags);
  const choice = { checkpoint, strict, trust, sources };
  const run = await openRun(wanted, { ...context, set, overrides, ...choice, readImages: true });
  const { directory, snapshot, checkpoint: path, info } = run;
  const passedOver = tellPassedOver(run.damaged);
  const isBestOnTest = path === bestCheckpointPath(directory, 'test');
  const { subset: whole, otherData } = splitOf(run, split, allowOtherData);
  const shifted = shifts.find(({ name }) => name === shift);
  const subset = shifted ? shiftedSubset(whole, info.classCounts, shifted) : whole;
  const outside = folder === undefined ? null : { folder, files: await outsideFiles(run, folder) };
  const { adapter, composition } = adapt ? adapting(run) : { adapter: null, composition: run.composition };
  const backend = await loadBackend(run.options.backend);
  const fit = await openFit(await onDeviceHere(run, backend), composition, backend);
  try {
    const { epoch } = snapshot;
    const { evaluation, logits } = await evaluateSplit(fit, { split, subset, epoch }, true);
    const adapted = adapter && (await evaluateAdapted(fit, adapter, { split, subset, epoch }));
    const { classes, classCounts, groups } = info;
    const prior = logitPrior(run.composition.plugins);
    const further = furtherFigures(evaluation, keptTable(logits!), { classCounts, groups, prior });
    const ood = outside && (await outOfDistribution(fit, run, { ...outside, inside: logits! }));
    if (json)
      printJson({
        run: directory,
        checkpoint: path,
        passedOver,
        epoch,
        split,
        ...(shifted && { shift }),
        ...(otherData && { otherData }),
        ...evaluation,
        further,
        intervals: intervalsOf(evaluation),
        ...(ood && { ood }),
        ...(adapted && { adapted }),
      });
    else {
      const chosen = isBestOnTest ? ', chosen on the test set (optimistic)' : '';
      const title = `${displayPath(directory)}, epoch ${epoch}${chosen}, ${split} split${shifted ? `, ${shift}` : ''}`;
      const notes = otherData ? ['not those that it was trained on (--allow-other-data)'] : [];
      print(show(title, evaluation, { further, classes, classCounts, sections: metrics, notes, ood }));
      if (adapted) print(showAdapted(adapted));
      const onSplit = split === 'test' ? [] : ['--split', split];
      tellNext([commandLine('mistakes', displayPath(directory), ...onSplit), 'the images that it gets wrong']);
    }
    return 0;
  } finally {
    await fit.loader.close();
    fit.engine.dispose();
  }
}
