import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { makeFolder } from '#make-folder';
import { type DataReport, type ImageName, inspectData } from '../../data/inspect/inspect.ts';
import { hasCounts } from '../../data/load-data.ts';
import { withoutAdvice } from '../../data/packed/errors.ts';
import { dataRoot } from '../../data/root.ts';
import type { Part } from '../../data/split.ts';
import type { Unreadable } from '../../data/types.ts';
import { displayPath } from '../../errors.ts';
import { describeGroups } from '../../metrics/groups.ts';
import { formatTail } from '../../report/tail-table.ts';
import { grouped } from '../../util/grouped.ts';
import type { ConfigFlags } from '../context.ts';
import { infoNotWritten } from '../errors.ts';
import { commandLine, tellNext } from '../next.ts';
import { print, printJson } from '../output.ts';
import { stageProgress } from '../stage-progress.ts';
import { dataConfigOf, folderOf } from './config.ts';
import { type DataPictures, drawPictures } from './pictures.ts';

/** Options of `tailmix data info`. */
export interface DataInfoOptions extends Pick<ConfigFlags, 'set' | 'dataRoot'> {
  /** Folder for the pictures. Default: `runs/data/<name>`. */
  out?: string;
  withoutImages?: boolean;
  json?: boolean;
}

/** Sets of equal images, and unreadable files, that are printed; `--json` has all. */
const SHOWN = 10;

/** `tailmix data info`: counts, the long tail, sample images, duplicates and unreadable files. */
export async function dataInfo(wanted: readonly string[], options: DataInfoOptions): Promise<number> {
  const { out, withoutImages = false, json = false, ...flags } = options;
  const { data, evaluate } = await dataConfigOf(wanted, flags);
  const progress = stageProgress();
  try {
    let isScanning = false;
    progress.onStage(withoutImages ? 'counting' : 'reading the images');
    const report = await inspectData(data, {
      images: !withoutImages,
      onProgress: progress.onRead,
      onScan(done, total) {
        if (!isScanning) progress.onStage('comparing the images');
        isScanning = true;
        progress.onImages(done, total);
      },
    });
    progress.stop();
    const { groups } = evaluate;
    const folder = folderOf(wanted);
    const place = resolve(out ?? join('runs', 'data', folder === null ? report.info.name : basename(resolve(folder))));
    const isWithin = out === undefined && folder !== null && !relative(resolve(folder), place).startsWith('..');
    // Nothing is written among the images.
    const pictures = isWithin ? [] : await writePictures(place, await drawPictures(report, groups));
    const root = dataRoot(data.root);
    if (json) printJson({ ...documentOf(report), root, pictures });
    else {
      for (const line of describe(report, groups, pictures)) print(line);
      if (folder !== null) tellNext([commandLine('init', folder), 'writes a config for these images']);
      else if (existsSync(wanted[0]!)) tellNext([commandLine('train', ...wanted), 'trains a network on them']);
    }
    return 0;
  } finally {
    progress.stop();
  }
}

/** @returns paths by file name */
async function writePictures(folder: string, pictures: DataPictures): Promise<string[]> {
  try {
    await makeFolder(folder);
    for (const [name, content] of Object.entries(pictures)) await writeFile(join(folder, name), content);
  } catch (error) {
    throw infoNotWritten(folder, error);
  }
  return Object.keys(pictures).map((name) => join(folder, name));
}

function documentOf({ info, read, ...report }: DataReport) {
  const { name, classes, shape, mean, std } = info;
  return {
    name,
    classes,
    shape,
    mean,
    std,
    ...report,
    read: read && {
      subset: read.train && { images: read.train.indices.length, hash: read.train.hash },
      measured: { mean: read.mean, std: read.std },
      duplicates: read.duplicates,
      unreadable: read.unreadable,
    },
  };
}

const COLUMN = 14;
const line = (name: string, text: string): string => `${name.padEnd(COLUMN)}${text}`;

function describe(report: DataReport, groups: Parameters<typeof describeGroups>[0], pictures: string[]): string[] {
  const { info, allCounts, trainCounts, notDrawn, testCounts, testCount, validationCount, read, notRead } = report;
  const [height, width, channels] = info.shape;
  const total = hasCounts(allCounts) ? sum(allCounts) : allCounts.total;
  const shown = trainCounts ?? (hasCounts(allCounts) ? allCounts : null);
  const size = `${height} × ${width}, ${channels === 1 ? 'grey' : channels === 3 ? 'RGB' : `${channels} channels`}`;
  const lines = [
    line('data', `${info.name}: ${grouped(info.classes.length)} classes, images of ${size}`),
    line(
      'images',
      `${grouped(total)} to train on, ${validationCount > 0 ? `${grouped(validationCount)} for validation, ` : ''}${grouped(testCount)} for test`,
    ),
    ...(info.notes ?? []).map((note) => line('', note)),
  ];
  if (trainCounts) lines.push(line('a run', `trains on ${grouped(sum(trainCounts))}, ${span(trainCounts)}`));
  else if (notDrawn) lines.push(line('a run', notDrawn));
  else if (!hasCounts(allCounts)) {
    const { largest, smallest, source } = allCounts;
    lines.push(line('a class has', `${grouped(smallest)} to ${grouped(largest)}; each count is in ${source}`));
  }
  if (shown) {
    const all = hasCounts(allCounts) ? allCounts : shown;
    const table = formatTail(
      { classes: info.classes, train: shown, all, test: testCounts },
      { width: process.stdout.columns ?? 100 },
    );
    lines.push('', table, '', describeGroups(groups), '');
  }
  if (hasCounts(allCounts)) lines.push(...describeFew(info.classes, allCounts));
  if (read) lines.push(...describeRead(read, { train: total, validation: validationCount, test: testCount }));
  else if (notRead) lines.push(line('not read', notRead));
  return [...lines, ...pictures.map((path, i) => line(i === 0 ? 'pictures' : '', displayPath(path)))];
}

/** Classes with fewer images to train on can hardly be learned, whatever the method. */
const FEW = 10;

/** Classes that have hardly any images, and what can be done. */
function describeFew(classes: readonly string[], counts: readonly number[]): string[] {
  const few = classes.flatMap((name, label) => (counts[label]! < FEW ? [`${name} ${counts[label]}`] : []));
  if (few.length === 0) return [];
  const named = few.slice(0, SHOWN).join(', ') + (few.length > SHOWN ? `, and ${few.length - SHOWN} more` : '');
  return [
    line('few images', `fewer than ${FEW} to train on: ${named}`),
    line('', 'add photos, put the class together with a related one, or leave it out; no method replaces images'),
  ];
}

function describeRead(
  { duplicates, mean, std, unreadable }: NonNullable<DataReport['read']>,
  { train, validation, test }: Record<Part, number>,
) {
  const { testInTrain, validationInTrain, withinTrain, withinValidation, withinTest, acrossClasses, sets } = duplicates;
  const figures = (values: number[]): string => values.map((value) => value.toFixed(4)).join(' ');
  const of = (n: number, all: number): string => `${grouped(n)} (${((100 * n) / Math.max(1, all)).toFixed(2)} %)`;
  return [
    line('measured', `mean ${figures(mean)}, std ${figures(std)} of the training images, before any profile`),
    line(
      'duplicates',
      sets.length === 0
        ? 'none: no two images have the same pixels'
        : `${of(testInTrain, test)} of the test images are training images too, to the pixel`,
    ),
    ...(sets.length === 0
      ? []
      : [
          ...(validation > 0
            ? [line('', `${of(validationInTrain, validation)} of the validation images are training images too`)]
            : []),
          line(
            '',
            `${of(withinTrain, train)} repeat another in train, ${validation > 0 ? `${of(withinValidation, validation)} another in validation, ` : ''}${of(withinTest, test)} another in test`,
          ),
          line('', `${grouped(acrossClasses)} of ${grouped(sets.length)} sets of equal images are in several classes`),
          ...listed(
            sets.map((set) => set.map(nameOf).join(' = ')),
            'sets',
          ),
        ]),
    line(
      'unreadable',
      unreadable.length === 0
        ? 'none'
        : `${of(unreadable.length, train + validation + test + unreadable.length)} of the files`,
    ),
    ...listed(unreadable.map(whyUnreadable), 'files'),
    ...(unreadable.length > 0 ? [line('', 'replace them, or leave them out of runs: data.onCorrupt: skip')] : []),
  ];
}

/** A file that was left out, and the reason, which begins with its path, without the advice. */
export const whyUnreadable = ({ path, reason }: Unreadable): string =>
  displayPath(path) + withoutAdvice(reason.slice(path.length));

function listed(entries: readonly string[], what: string): string[] {
  const more = entries.length - SHOWN;
  return [
    ...entries.slice(0, SHOWN).map((entry) => line('', `  ${entry}`)),
    ...(more > 0 ? [line('', `  and ${grouped(more)} more ${what} (--json has all)`)] : []),
  ];
}

const nameOf = (image: ImageName): string =>
  image.file === null ? `${image.split}[${image.row}] ${image.class}` : displayPath(image.file);

const sum = (counts: readonly number[]): number => counts.reduce((total, n) => total + n, 0);

function span(counts: readonly number[]): string {
  const [most, least] = [Math.max(...counts), Math.min(...counts)];
  const ratio = least === 0 ? 'some classes have none' : `ratio ${grouped(Math.round((10 * most) / least) / 10)}`;
  return `${grouped(most)} to ${grouped(least)} a class (${ratio})`;
}
