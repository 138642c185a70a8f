import type { DataReport, ImageName } from '../../data/inspect/inspect.ts';
import { readRows } from '../../data/inspect/scan.ts';
import { hasCounts } from '../../data/load-data.ts';
import type { Subset } from '../../data/types.ts';
import { groupOf } from '../../metrics/groups.ts';
import type { GroupRule } from '../../metrics/types.ts';
import { longTailSpec } from '../../report/charts/long-tail.ts';
import { drawChartFile } from '../../report/charts/render.ts';
import { byClassCount } from '../../report/class-bins.ts';
import { lightColours } from '../../report/page/style.ts';
import { canShow, drawSheet, type SheetRow } from '../../report/sheet.ts';
import { grouped } from '../../util/grouped.ts';

/** Contents by file name. */
export type DataPictures = Record<string, string | Buffer>;

/** Classes and images of a class on the sheet of samples; sets on that of duplicates. */
const [CLASSES, SAMPLES, SETS] = [20, 10, 30];

/**
 * The pictures of a data set: `long-tail.svg`; where its images were read and are pictures, `samples.png`, and
 * `duplicates.png` where some are.
 */
export async function drawPictures(report: DataReport, groups: GroupRule): Promise<DataPictures> {
  const { info, allCounts, trainCounts, read } = report;
  const counts = trainCounts ?? (hasCounts(allCounts) ? allCounts : null);
  const pictures: DataPictures = {};
  if (counts) {
    const [most, least] = [Math.max(...counts), Math.min(...counts)];
    pictures['long-tail.svg'] = await drawChartFile(
      longTailSpec({ classes: info.classes, classCounts: counts, groups }),
      `${info.name}: ${grouped(counts.reduce((a, b) => a + b, 0))} training images in ${grouped(counts.length)} classes, from ${grouped(most)} to ${grouped(least)}`,
    );
  }
  if (!read || !canShow(info.shape)) return pictures;
  if (read.train) {
    const rows = await sampleRows(read.train, info.classes, groups, (subset, chosen) =>
      readRows(subset.split, info.shape, chosen),
    );
    pictures['samples.png'] = await drawSheet(
      rows,
      info.shape,
      `${info.name}: training images of ${rows.length < info.classes.length ? `${rows.length} of ${grouped(info.classes.length)}` : 'all'} classes, from head to tail`,
    );
  }
  if (read.duplicates.sets.length > 0) {
    const sets = read.duplicates.sets.slice(0, SETS);
    const imageOf = async ({ split, row }: ImageName): Promise<Uint8Array> =>
      (await readRows(read.parts[split]!.split, info.shape, [row]))[0]!;
    const rows = await Promise.all(
      sets.map(async (set): Promise<SheetRow> => {
        const crosses = new Set(set.map((image) => image.split)).size > 1;
        return {
          title: [...new Set(set.map((image) => image.class))].join(', '),
          detail: set.map(place).join(' = '),
          colour: crosses ? lightColours['--wrong']! : lightColours['--line']!,
          images: await Promise.all(set.slice(0, SAMPLES).map(imageOf)),
        };
      }),
    );
    pictures['duplicates.png'] = await drawSheet(
      rows,
      info.shape,
      `${info.name}: ${rows.length} of ${grouped(read.duplicates.sets.length)} sets of equal images; marked: in several of train, validation and test`,
    );
  }
  return pictures;
}

const place = ({ split, row }: ImageName): string => `${split}[${row}]`;

/** The first images that a run would have of each class, or of classes in equal steps from head to tail. */
function sampleRows(
  subset: Subset,
  classes: readonly string[],
  groups: GroupRule,
  read: (subset: Subset, rows: number[]) => Promise<Uint8Array[]>,
): Promise<SheetRow[]> {
  const counts = [...subset.classCounts];
  const order = byClassCount(counts);
  const shown = Math.min(CLASSES, order.length);
  const labels = Array.from(
    { length: shown },
    (_, i) => order[Math.round((i * (order.length - 1)) / Math.max(1, shown - 1))]!,
  );
  const rowsOf = new Map(labels.map((label): [number, number[]] => [label, []]));
  for (const row of subset.indices) {
    const rows = rowsOf.get(subset.split.labels[row]!);
    if (rows && rows.length < SAMPLES) rows.push(row);
  }
  const rowOf = async (label: number): Promise<SheetRow> => ({
    title: classes[label]!,
    detail: `${grouped(counts[label]!)} training ${counts[label] === 1 ? 'image' : 'images'}`,
    colour: lightColours[`--${groupOf(counts[label]!, groups)}`]!,
    images: await read(subset, rowsOf.get(label)!),
  });
  return Promise.all(labels.map(rowOf));
}
