import { isDataset } from '../../data/dataset.ts';
import { describeData, drawSubsets, readImages, unreadableOf } from '../../data/load-data.ts';
import { noSource } from '../../data/prepare/errors.ts';
import { type PreparedArchive, prepareSource } from '../../data/prepare/prepare-source.ts';
import { sources } from '../../data/prepare/sources.ts';
import { dataRoot } from '../../data/root.ts';
import { datasetName } from '../../data/sets/registry.ts';
import type { Unreadable } from '../../data/types.ts';
import { displayPath } from '../../errors.ts';
import { grouped } from '../../util/grouped.ts';
import type { ConfigFlags } from '../context.ts';
import { print, printJson, tell } from '../output.ts';
import { type StageProgress, stageProgress } from '../stage-progress.ts';
import { dataConfigOf } from './config.ts';
import { whyUnreadable } from './info.ts';

/** Options of `tailmix data prepare`. */
export interface DataPrepareOptions extends Pick<ConfigFlags, 'set' | 'dataRoot'> {
  /** A downloaded archive, or a folder with archives. */
  from?: string;
  /** Folders on servers that are asked first. */
  mirror?: string[];
  withoutImages?: boolean;
  force?: boolean;
  repack?: boolean;
  json?: boolean;
}

/** `tailmix data prepare`: fetches a data set, checks and unpacks it, and packs its images. */
export async function dataPrepare(wanted: readonly string[], options: DataPrepareOptions): Promise<number> {
  const started = performance.now();
  const { from, mirror = [], withoutImages = false, force = false, repack = false, json = false, ...flags } = options;
  const { data } = await dataConfigOf(wanted, flags);
  const name = datasetName(data.name);
  const source = isDataset(data.name) ? undefined : sources[name];
  if (source === undefined) {
    const unfit = { '--from': from, '--mirror': mirror[0], '--without-images': withoutImages ? '' : undefined };
    for (const [option, value] of Object.entries(unfit)) if (value !== undefined) throw noSource(option, name);
  }
  const root = dataRoot(data.root);
  const progress = stageProgress();
  try {
    let archives: PreparedArchive[] = [];
    if (source !== undefined) {
      tell(source.terms);
      const places = { root, mirrors: mirror, ...(from === undefined ? {} : { from }) };
      archives = await prepareSource(source, { ...places, optional: !withoutImages, force, ...progress });
    }
    // The whole set, whatever tail the config cuts from it.
    const whole = { ...data, profile: 'none' } as const;
    progress.onStage(withoutImages ? 'reading the annotations' : 'reading the images');
    const read = withoutImages ? await readCounts(whole) : await readAll(whole, force || repack, progress);
    progress.stop();
    const seconds = Math.round(performance.now() - started) / 1000;
    if (json) printJson({ name, root, archives, ...read, seconds });
    else describe(name, archives, read);
    return 0;
  } finally {
    progress.stop();
  }
}

/** What was found. */
interface Read {
  classes: number;
  train: number | null;
  test: number;
  /** Files that were left out. */
  unreadable: readonly Unreadable[];
}

type Data = Parameters<typeof readImages>[0];

/** Opens both splits, which decodes and packs class folders. */
async function readAll(data: Data, fresh: boolean, { onRead }: StageProgress): Promise<Read> {
  const images = await readImages(data, { fresh, onProgress: onRead });
  const { info, train, test } = drawSubsets(images, data);
  const counts = { classes: info.classes.length, train: train.indices.length, test: test.indices.length };
  return { ...counts, unreadable: unreadableOf(images) };
}

async function readCounts(data: Data): Promise<Read> {
  const { info } = await describeData(data);
  const { fullCounts, classes, testCount } = info;
  const train = 'total' in fullCounts ? fullCounts.total : fullCounts.reduce((sum, n) => sum + n, 0);
  return { classes: classes.length, train, test: testCount, unreadable: [] };
}

function describe(
  name: string,
  archives: readonly PreparedArchive[],
  { classes, train, test, unreadable }: Read,
): void {
  const places = archives.map(({ place, changed }) => `${displayPath(place)}  ${changed ? 'new' : 'was there'}`);
  for (const line of new Set(places)) print(line);
  print(`${name}: ${classes} classes, ${grouped(train ?? 0)} training images, ${grouped(test)} test images`);
  if (unreadable.length > 0) {
    print(`${unreadable.length} unreadable ${unreadable.length === 1 ? 'file was' : 'files were'} left out:`);
    for (const file of unreadable) print(`  ${whyUnreadable(file)}`);
  }
}
