import { join } from 'node:path';
import { displayPath } from '../../errors.ts';
import { createEvaluator } from '../../metrics/evaluator.ts';
import { furtherFigures } from '../../metrics/further.ts';
import { keptTable } from '../../metrics/logits.ts';
import { summaryMissing } from '../../tracking/errors.ts';
import { readLogits } from '../../tracking/logits-file.ts';
import { findRun, readSeals, readSummary } from '../../tracking/run-directory.ts';
import { logitsFile } from '../../tracking/run-files.ts';
import { expectReadable } from '../../tracking/written-by.ts';
import { print, printJson } from '../output.ts';
import { intervalsOf, type MetricsSection, show } from './show.ts';

/** `tailmix evaluate --from-logits`: figures of the last evaluation, from what the run has kept of it. */
export async function fromLogits(
  wanted: string,
  {
    split,
    metrics,
    json,
  }: { split: 'test' | 'validation'; metrics: readonly MetricsSection[]; json?: boolean | undefined },
): Promise<number> {
  const directory = await findRun(wanted);
  await expectReadable(directory);
  const summary = await readSummary(directory);
  if (!summary) throw summaryMissing(displayPath(directory));
  const { classes, classCounts, groups } = summary;
  const seals = await readSeals(directory);
  const { logits, about } = await readLogits(directory, split, classes.length, seals[logitsFile(split)]?.sha256);
  const table = keptTable(logits);
  const evaluator = createEvaluator({ classes, classCounts, groups });
  for (let i = 0; i < table.count; i++) evaluator.add(table.below(i), logits.labels.subarray(i, i + 1));
  const evaluation = evaluator.result();
  const further = furtherFigures(evaluation, table, { classCounts, groups, prior: about.prior });
  if (json) {
    const file = join(directory, logitsFile(split));
    printJson({
      run: directory,
      logits: file,
      epoch: about.epoch,
      split,
      ...evaluation,
      further,
      intervals: intervalsOf(evaluation),
    });
  } else {
    const title = `${displayPath(directory)}, epoch ${about.epoch}, ${split} split, from its logits`;
    print(show(title, evaluation, { further, classes, classCounts, sections: metrics }));
  }
  return 0;
}
