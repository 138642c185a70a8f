import { displayPath } from '../config/display.ts';
import { isDataset } from '../data/dataset.ts';
import { describeData, loadData } from '../data/load-data.ts';
import { noSource } from '../data/prepare/errors.ts';
import { type PreparedArchive, prepareSource } from '../data/prepare/prepare-source.ts';
import { sources } from '../data/prepare/sources.ts';
import { dataRoot } from '../data/root.ts';
import { datasetName } from '../data/sets/registry.ts';
import { grouped } from '../report/format.ts';
import type { ConfigFlags } from './context.ts';
import { dataConfigOf } from './data-config.ts';
import { print, printJson, tell } from './output.ts';
import { stageProgress } from './stage-progress.ts';

/** Options of `tailmix data prepare`. */
export interface DataPrepareOptions extends Pick<ConfigFlags, 'set' | 'dataRoot'> {
  /** A downloaded archive, or a folder with archives. */
  from?: string;
  /** Folders on servers that are asked first. */
  mirror?: string[];
  withoutImages?: boolean;
  force?: boolean;
  json?: boolean;
}

/** `tailmix data prepare`: fetches a data set, checks and unpacks it, and packs its images. */
export async function dataPrepare(wanted: string, options: DataPrepareOptions): Promise<number> {
  const started = performance.now();
  const { from, mirror = [], withoutImages = false, force = false, json = false, ...flags } = options;
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
    const whole = { ...data, profile: 'none', validation: 0 } as const;
    progress.onStage(withoutImages ? 'reading the annotations' : 'reading the images');
    const read = withoutImages ? await readCounts(whole) : await readImages(whole, force, progress);
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
  /** Unreadable files that were left out. */
  skipped: readonly string[];
}

type Data = Parameters<typeof loadData>[0];

/** Opens both splits, which decodes and packs class folders. */
async function readImages(
  data: Data,
  fresh: boolean,
  { onStage, onImages }: ReturnType<typeof stageProgress>,
): Promise<Read> {
  let current = '';
  const { info, train, test, skipped } = await loadData(data, {
    fresh,
    onProgress({ split, done, total }) {
      if (split !== current) onStage(`packing ${displayPath(split)}`);
      current = split;
      onImages(done, total);
    },
  });
  return { classes: info.classes.length, train: train.indices.length, test: test.indices.length, skipped };
}

async function readCounts(data: Data): Promise<Read> {
  const { info } = await describeData(data);
  const { fullCounts, classes, testCount } = info;
  const train = 'total' in fullCounts ? fullCounts.total : fullCounts.reduce((sum, n) => sum + n, 0);
  return { classes: classes.length, train, test: testCount, skipped: [] };
}

function describe(name: string, archives: readonly PreparedArchive[], { classes, train, test, skipped }: Read): void {
  for (const { place, changed } of archives) print(`${displayPath(place)}  ${changed ? 'new' : 'was there'}`);
  print(`${name}: ${classes} classes, ${grouped(train ?? 0)} training images, ${grouped(test)} test images`);
  if (skipped.length > 0) {
    print(`${skipped.length} unreadable files were left out:`);
    for (const path of skipped) print(`  ${displayPath(path)}`);
  }
}
