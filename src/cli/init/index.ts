import { existsSync, statSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import process from 'node:process';
import { type Look, lookAt } from '../../data/inspect/look.ts';
import { hasCounts } from '../../data/load-data.ts';
import { displayPath } from '../../errors.ts';
import { writeFileAtomic } from '../../tracking/write-file.ts';
import { shellWord } from '../../util/shell-word.ts';
import { type Ask, asking } from '../ask.ts';
import { initExists, initNoImages, initWithin } from '../errors.ts';
import { commandLine, tellNext } from '../next.ts';
import { complain, print, printJson, tell } from '../output.ts';
import { photosConfig } from './photos-config.ts';
import { CONFIG, schemaFrom } from './place.ts';
import { findWeights } from './pretrained.ts';
import { makeProject } from './project.ts';
import { recipeFor } from './recipe.ts';

/** Options of `tailmix init`. */
export interface InitOptions {
  /** Take what suits the photos, and ask nothing. */
  yes?: boolean;
  imageSize?: number;
  group?: string;
  /** File of published weights to start from. Default: one in the current folder or in that of the images' folder. */
  weights?: string;
  /** Print one JSON document on standard output, and ask nothing. */
  json?: boolean;
}

/**
 * `tailmix init`: for a folder of images a config in the current folder; for a new name, or none, a project to start from.
 *
 * @param ask - Default: the terminal, where there is one.
 */
export async function init(folder: string | undefined, options: InitOptions = {}, ask?: Ask): Promise<number> {
  const isHere = folder === undefined || resolve(folder) === process.cwd();
  const hasConfig = folder !== undefined && existsSync(resolve(folder, CONFIG));
  if (isHere && (await holdsPhotos())) throw initWithin('.');
  if (isHere || hasConfig || !existsSync(folder)) await initProject(folder ?? '.', options);
  else await initPhotos(folder, options, ask);
  return 0;
}

async function initProject(folder: string, { json = false }: InitOptions): Promise<void> {
  const files = await makeProject(folder);
  if (json) return printJson({ config: resolve(folder, CONFIG), files });
  for (const file of files) print(`wrote ${displayPath(file)}`);
  const enter = relative('.', resolve(folder)) === '' ? '' : `cd ${shellWord(displayPath(resolve(folder)))} && `;
  tellNext([`${enter}${commandLine('train')}`, 'trains the run of the config']);
}

/** Whether the current folder is one of images, and no project that has some. */
async function holdsPhotos(): Promise<boolean> {
  if ([CONFIG, 'package.json'].some((name) => existsSync(name))) return false;
  const look = await lookAt(process.cwd());
  return look !== null && look.plan.info.classes.length > 1;
}

async function initPhotos(folder: string, options: InitOptions, ask?: Ask): Promise<void> {
  if (!statSync(folder).isDirectory()) throw initNoImages(folder, 'a file');
  if (!relative(resolve(folder), process.cwd()).startsWith('..')) throw initWithin(folder);
  if (existsSync(CONFIG)) throw initExists([CONFIG]);
  const look = await lookAt(resolve(folder));
  const classes = look?.plan.info.classes.length ?? 0;
  if (look === null || classes < 2) throw initNoImages(folder, look === null ? 'neither' : 'images of one class');
  const { plan } = look;
  const counts = hasCounts(plan.classCounts) ? plan.classCounts : [];
  const [height, width] = plan.info.shape;
  if (!options.json) for (const line of describeLook(folder, look)) print(line);
  const { pretrained, remarks } = await findWeights(look.data.root, options.weights);
  for (const remark of remarks) tell(remark);
  const proposed = recipeFor({
    counts,
    validation: plan.validationCount,
    side: Math.min(height, width),
    ...(pretrained !== null && { pretrained: pretrained.model }),
  });
  if (options.group !== undefined && !look.data.split)
    complain('--group has no effect: the images have splits of their own');
  const answers = await answersOf(options, proposed.imageSize, look, ask);
  const text = photosConfig({
    name: basename(resolve(folder)),
    root: relative('.', look.data.root).replaceAll('\\', '/'),
    schema: schemaFrom(process.cwd()),
    look,
    recipe: { ...proposed, imageSize: answers.imageSize },
    pretrained,
    ...(answers.group !== undefined && { group: answers.group }),
  });
  await writeFileAtomic(resolve(CONFIG), text);
  if (options.json) {
    const { classes, notes = [] } = plan.info;
    const { remedy, ...recipe } = { ...proposed, ...answers };
    const config = resolve(CONFIG);
    return printJson({
      config,
      files: [config],
      classes,
      counts,
      notes,
      ...recipe,
      weights: pretrained?.file ?? null,
      remedy,
      split: look.data.split,
    });
  }
  print(`image size: ${answers.imageSize} x ${answers.imageSize} pixels`);
  if (pretrained !== null) print(`network: ${pretrained.model}, from the weights in ${pretrained.file}`);
  print(`long tail: ${proposed.remedy.reason}`);
  print(`wrote ${CONFIG}`);
  tellNext(
    [commandLine('data', 'info', CONFIG), 'shows duplicates and unreadable files'],
    [commandLine('plan'), 'shows what would run'],
    [commandLine('train'), 'trains it'],
  );
}

function describeLook(folder: string, { plan, data }: Look): string[] {
  const counts = hasCounts(plan.classCounts) ? plan.classCounts : [];
  const order = plan.info.classes.map((name, label) => ({ name, count: counts[label]! }));
  order.sort((a, b) => b.count - a.count);
  const shown = order.length > SHOWN ? [...order.slice(0, SHOWN / 2), null, ...order.slice(-SHOWN / 2)] : order;
  const few = order.filter(({ count }) => count < FEW).length;
  return [
    `${folder}: ${plan.info.classes.length} classes${data.name === 'manifest' ? ', listed in a file' : ''}`,
    `to train on: ${shown.map((one) => (one === null ? '…' : `${one.name} ${one.count}`)).join(', ')}`,
    // What a config without imageSize would do is not what this one does.
    ...(plan.info.notes ?? []).filter((note) => !note.startsWith('scaled to')),
    ...(few > 0
      ? [
          `${few} ${few === 1 ? 'class has' : 'classes have'} fewer than ${FEW} images to train on: add photos, merge or leave out`,
        ]
      : []),
  ];
}

/** Classes that are named, and images below which a class is pointed out. */
const [SHOWN, FEW] = [12, 10];

async function answersOf(
  { yes = false, json = false, imageSize, group }: InitOptions,
  proposed: number,
  { data }: Look,
  given?: Ask,
): Promise<{ imageSize: number; group?: string }> {
  const answers = async (ask: Ask | undefined): Promise<{ imageSize: number; group?: string }> => {
    const side = imageSize ?? (ask ? await askSide(ask, proposed) : proposed);
    const pattern = group ?? (ask && data.split ? await askGroup(ask) : undefined);
    return { imageSize: side, ...(pattern !== undefined && { group: pattern }) };
  };
  return yes || json ? answers(undefined) : asking(given, answers);
}

async function askSide(ask: Ask, proposed: number): Promise<number> {
  for (;;) {
    const answer = (await ask(`Image size in pixels [${proposed}]: `)).trim();
    if (answer === '') return proposed;
    if (/^[1-9]\d{0,3}$/.test(answer)) return Number(answer);
  }
}

async function askGroup(ask: Ask): Promise<string | undefined> {
  for (;;) {
    const answer = (
      await ask("Photos that belong together, as a pattern on their paths such as 'session_(\\d+)_' [none]: ")
    ).trim();
    if (answer === '') return undefined;
    try {
      return new RegExp(answer, 'u').source;
    } catch {}
  }
}
