import { join, resolve } from 'node:path';
import { makeFolder } from '#make-folder';
import type { RunContext } from '../config/load.ts';
import { readRows } from '../data/inspect/scan.ts';
import type { Subset } from '../data/types.ts';
import { displayPath } from '../errors.ts';
import { lightColours } from '../report/page/style.ts';
import { canShow, drawSheet, type SheetRow } from '../report/sheet.ts';
import type { CheckpointChoice } from '../tracking/choose-checkpoint.ts';
import { writeFileAtomic } from '../tracking/write-file.ts';
import { readPixels } from '../train/prepare.ts';
import { type Confusion, classify, confusionsOf, type Mistake, mistakesOf } from '../trained/mistakes.ts';
import { openRun, type TrainedRun } from '../trained/open.ts';
import { splitOf } from '../trained/split.ts';
import { csvTable } from '../util/csv.ts';
import { type ConfigFlags, checkPlace, context, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix mistakes`. */
export interface MistakesCommandOptions extends ConfigFlags, CheckpointChoice, Pick<RunContext, 'trust' | 'sources'> {
  split: 'test' | 'validation';
  /** Folder to write to. Default: `mistakes/<split>` in the run directory. */
  out?: string;
  json?: boolean;
  allowOtherData?: boolean;
}

/** Rows of the picture, images of a row, and lines printed of each kind. */
const [ROWS, COLUMNS, LINES] = [30, 12, 5];

/** A mistake with names. */
type Named = ReturnType<typeof named>;

/** `tailmix mistakes`: the images that a run gets wrong, as a table, JSON and a picture. */
export async function mistakes(
  wanted: string,
  { set = [], split, out, checkpoint, strict, trust, sources, json, allowOtherData, ...flags }: MistakesCommandOptions,
): Promise<number> {
  checkPlace('--out', out);
  const overrides = overridesOf(flags);
  const choice = { checkpoint, strict, trust, sources };
  const run = await openRun(wanted, { ...context, set, overrides, ...choice, readImages: true });
  const passedOver = tellPassedOver(run.damaged);
  const { subset, otherData } = splitOf(run, split, allowOtherData);
  const classified = await classify(run, subset);
  const wrong = mistakesOf(classified, run.info.classes.length);
  const confusions = confusionsOf(wrong);
  const list = wrong.map((mistake) => named(mistake, subset, run.info.classes));
  const document = {
    run: run.directory,
    checkpoint: run.checkpoint,
    passedOver,
    epoch: run.snapshot.epoch,
    split,
    ...(otherData && { otherData }),
    count: classified.length,
    mistakes: list,
  };
  const folder = resolve(out ?? join(run.directory, 'mistakes', split));
  const files = await write(folder, {
    'mistakes.csv': csv(list),
    'mistakes.json': `${JSON.stringify(document, null, 2)}\n`,
    ...(wrong.length > 0 &&
      canShow(run.info.features?.images.shape ?? run.info.imageShape) && {
        'mistakes.png': await sheet(run, await pictured(run, subset), wrong, confusions),
      }),
  });
  if (json) printJson({ ...document, files });
  else {
    for (const line of describe(run, document, confusions, files)) print(line);
    tellNext([
      commandLine('predict', displayPath(run.directory), 'IMAGE…'),
      'classes of new images, or of folders of them',
    ]);
  }
  return 0;
}

/** A split whose rows can be drawn: of features, that of their images, with its rows in the same order. */
async function pictured({ info, options, data }: TrainedRun, subset: Subset): Promise<Subset> {
  if (!info.features) return subset;
  const images = await readPixels(options);
  return subset === data.test ? images.test : images.validation!;
}

/** A mistake as it is written: the file where images are files, else the place in the split. */
function named({ row, label, predicted, ...rest }: Mistake, { split }: Subset, classes: readonly string[]) {
  const image = split.files?.[row] ?? `${split.name}[${row}]`;
  return { image, row, label: classes[label]!, predicted: classes[predicted]!, ...rest };
}

function csv(list: readonly Named[]): string {
  const header = ['image', 'label', 'predicted', 'probability', 'label_probability', 'likely_mislabelled'];
  const rows = list.map(({ image, label, predicted, probability, labelProbability, likelyMislabelled }) => [
    image,
    label,
    predicted,
    probability,
    labelProbability,
    likelyMislabelled ? 1 : 0,
  ]);
  return csvTable([header, ...rows]);
}

/** First the likely wrong labels, then the most frequent kinds of mistakes. */
async function sheet(
  run: TrainedRun,
  subset: Subset,
  wrong: readonly Mistake[],
  confusions: readonly Confusion[],
): Promise<Buffer> {
  const { classes, imageShape, features } = run.info;
  const shape = subset.split.pixels.shape ?? features?.images.shape ?? imageShape;
  const images = (some: readonly Mistake[]) =>
    readRows(
      subset.split,
      shape,
      some.slice(0, COLUMNS).map(({ row }) => (features ? subset.indices[row]! : row)),
    );
  const mislabelled = wrong.filter(({ likelyMislabelled }) => likelyMislabelled);
  const first: SheetRow[] =
    mislabelled.length === 0
      ? []
      : [
          {
            title: 'likely wrong labels',
            detail: `${mislabelled.length} images`,
            colour: lightColours['--wrong']!,
            images: await images(mislabelled),
          },
        ];
  const kinds = await Promise.all(
    confusions.slice(0, ROWS).map(
      async ({ label, predicted, mistakes: some }): Promise<SheetRow> => ({
        title: classes[label]!,
        detail: `${some.length} taken for ${classes[predicted]}`,
        colour: lightColours['--line']!,
        images: await images(some),
      }),
    ),
  );
  const caption = `${run.info.name}, ${subset.split.name}: ${wrong.length} images classified wrongly; ${kinds.length} of ${confusions.length} kinds of mistakes, the surest first in each`;
  return drawSheet([...first, ...kinds], shape, caption);
}

async function write(folder: string, contents: Readonly<Record<string, string | Buffer>>): Promise<string[]> {
  await makeFolder(folder);
  for (const [name, content] of Object.entries(contents)) {
    await writeFileAtomic(join(folder, name), typeof content === 'string' ? content : [content]);
  }
  return Object.keys(contents).map((name) => join(folder, name));
}

function describe(
  { directory, info }: TrainedRun,
  { count, mistakes: list, epoch, split }: { count: number; mistakes: Named[]; epoch: number; split: string },
  confusions: readonly Confusion[],
  files: readonly string[],
): string[] {
  const mislabelled = list.filter(({ likelyMislabelled }) => likelyMislabelled);
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return [
    `${displayPath(directory)}, epoch ${epoch}, ${split}: ${list.length} of ${count} images classified wrongly (${percent(list.length / count)})`,
    ...confusions
      .slice(0, LINES)
      .map(
        ({ label, predicted, mistakes: some }) =>
          `  ${String(some.length).padStart(4)}  ${info.classes[label]} taken for ${info.classes[predicted]}`,
      ),
    ...(mislabelled.length > 0 ? [`labels that are likely wrong: ${mislabelled.length}; look at these first:`] : []),
    ...mislabelled
      .slice(0, LINES)
      .map(
        ({ image, label, predicted, probability }) =>
          `  ${image}  ${label}, taken for ${predicted} (${percent(probability)})`,
      ),
    ...files.map((file) => displayPath(file)),
  ];
}
