import { displayPath, messageOf, stackOf, systemRefused, TailmixError, toError } from '../errors.ts';

const config = (code: string, message: string): TailmixError => new TailmixError(message, { code, kind: 'config' });

/** `--resume` beside what only a new run can have. */
export const resumeWith = (what: string): TailmixError =>
  config(
    'RESUME_WITH',
    `--resume: expected nothing but the run and --set, got ${what} too. A resumed run keeps its own.`,
  );

/** A run that would be resumed with other settings than it began with. */
export const resumeChanged = (directory: string, saved: string, now: string): TailmixError =>
  config(
    'RESUME_CHANGED',
    `${directory}: expected the settings that the run began with (hash ${saved.slice(0, 8)}), got others (hash ${now.slice(0, 8)}).\n` +
      '  Leave out --set of what decides results and undo changes of plugin files, or start a new run.',
  );

/** A finished run whose checkpoints are gone, which would be trained anew. */
export const resumeFinished = (directory: string, lastEpoch: number): TailmixError =>
  config(
    'RESUME_FINISHED',
    `${directory}: expected a checkpoint, or a run that is not finished; this one is finished (epoch ${lastEpoch}) and has no checkpoint. It would train from its beginning and replace its results.\n` +
      `  Put its checkpoints back into ${directory}/checkpoints, or train it again in another folder: tailmix train ${directory}/config.yaml --out FOLDER`,
  );

/** `tailmix compare` or `probe` of a config whose phases have plugins of their own. */
export const comparePhases = (command: 'compare' | 'probe'): TailmixError =>
  config(
    'COMPARE_PHASES',
    `${command}: expected a config of one phase, whose remedy it can replace; this one has \`phases\`. Compare such configs with a sweep (docs/config.md).`,
  );

/** A file of the user's own where `tailmix compare` or `probe` would write. */
export const compareTaken = (command: 'compare' | 'probe', file: string): TailmixError =>
  config(
    'COMPARE_TAKEN',
    `${displayPath(file)}: expected no file, or one that tailmix compare or probe has made; this is another. Choose another folder with --out, as ${command} does not write over it.`,
  );

/** `tailmix compare` or `probe` without images to choose by. */
export const compareNoValidation = (configs: string): TailmixError =>
  config(
    'COMPARE_NO_VALIDATION',
    `${configs || 'the config'}: expected validation images, by which the method is chosen; there are none. Choosing on the test set would be optimistic.\n` +
      '  Hold some of the training images out: data.split: { validation: 0.15 } in the config, or --set data.split.validation=0.15.',
  );

/** `tailmix init` where there is something already. */
export const initExists = (files: readonly string[]): TailmixError =>
  config(
    'INIT_EXISTS',
    `init: expected to make ${files.join(' and ')}, which ${files.length === 1 ? 'exists' : 'exist'} already. Choose another folder.`,
  );

/** `tailmix init` of a folder that is there and holds no images of classes. */
export const initNoImages = (folder: string, got: string): TailmixError =>
  config(
    'INIT_NO_IMAGES',
    `init: expected a folder of images (a folder per class, also in train/, val/ and test/, or a .csv, .tsv or .jsonl file that lists them), or a new name; got ${displayPath(folder)}, which holds ${got}.\n` +
      '  tailmix init ../photos   writes a config for the images of that folder into the current one\n' +
      '  tailmix init my-run      makes a project to start from in a new folder',
  );

/** `tailmix init` from within the images. */
export const initWithin = (folder: string): TailmixError =>
  config(
    'INIT_WITHIN',
    `init: expected to write into a folder outside of the images; the current folder is ${displayPath(folder)}, or in it. Make a folder elsewhere, and there run: tailmix init PATH-OF-THE-IMAGES`,
  );

/** `tailmix init --weights` with a file whose network is not known. */
export const initWeights = (file: string, cause: unknown): TailmixError =>
  config(
    'INIT_WEIGHTS',
    `init: --weights ${displayPath(file)}: expected published weights of a network that tailmix has. ${messageOf(cause)}`,
  );

/** A name that is no built-in plugin. */
export const pluginUnknown = (name: string, near: string | null, names: readonly string[]): TailmixError =>
  config(
    'PLUGIN_UNKNOWN',
    `plugins: there is no built-in plugin "${name}".${near ? ` Did you mean "${near}"?` : ''} Built in: ${names.join(', ')}.`,
  );

/** A folder to predict that has nothing to predict. */
export const noImages = (folder: string, folders: number, recursive: boolean): TailmixError =>
  config(
    'PREDICT_EMPTY',
    `${folder}: expected image files; there is none.` +
      (folders > 0 && !recursive ? ` --recursive looks into the folders in it.` : ' Name files, or another folder.'),
  );

/** `tailmix evaluate --ood` of a run on features. */
export const oodOfFeatures = (run: string): TailmixError =>
  config(
    'RUN_OF_FEATURES',
    `${run}: expected a run on images for --ood; this one was trained on features, and images of a folder have none. Leave --ood out.`,
  );

/** What only a run has, for an exported classifier. */
export const exportHasNo = (folder: string, what: string): TailmixError =>
  config(
    'PREDICT_EXPORT',
    `${folder}: expected a run with ${what}; this is an exported classifier, which has one state.`,
  );

/** What is neither a code of an error nor an option. */
export const topicUnknown = (topic: string, near: readonly string[]): TailmixError =>
  config(
    'TOPIC_UNKNOWN',
    `explain: expected the code of an error, or an option of a config such as train.epochs; got ${JSON.stringify(topic)}.${near.length > 0 ? ` Did you mean ${near.join(', ')}?` : ''} \`tailmix explain\` lists the codes, docs/config.md the options.`,
  );

/** A generated file that cannot be written, for example in an installed package. */
export const schemaNotWritten = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`schema: expected to write ${path}; ${systemRefused(cause)}`, { code: 'SCHEMA_WRITE', cause });

/** A name that is neither a data set nor a config. */
export const dataUnknown = (name: string, names: readonly string[]): TailmixError =>
  config(
    'DATA_UNKNOWN',
    `data: expected a data set (${names.join(', ')}), a folder of images or a config file; got ${JSON.stringify(name)}, which is none of them.`,
  );

/** A folder that was to be looked at and holds no images of classes. */
export const folderWithoutImages = (folder: string): TailmixError =>
  config(
    'FOLDER_WITHOUT_IMAGES',
    `${displayPath(folder)}: expected a folder of images per class, also in train/, val/ and test/, or a .csv, .tsv or .jsonl file that lists images (path, label); found none. Name the folder that holds the class folders.`,
  );

/** The name of a data set next to something else. */
export const dataSeveral = (names: readonly string[]): TailmixError =>
  config('DATA_SEVERAL', `data: expected one data set, one folder, or config files alone; got ${names.join(' ')}.`);

/** The pictures of a data set cannot be written. */
export const infoNotWritten = (folder: string, cause: unknown): TailmixError =>
  new TailmixError(
    `data info: expected to write pictures to ${folder}; ${systemRefused(cause, 'choose another folder with --out')}`,
    { code: 'INFO_WRITE', cause },
  );

/** Nowhere to send runs to. */
export const noMlflowServer = (known: readonly string[]): TailmixError =>
  new TailmixError(
    'mlflow sync: expected the address of an MLflow server, got none. Give it with --server URL or MLFLOW_TRACKING_URI' +
      (known.length > 1 ? `; the run was sent to ${known.join(' and ')} before.` : '.'),
    { code: 'MLFLOW_NO_SERVER', kind: 'config' },
  );

/**
 * An error outside of all hooks.
 *
 * @param what - what failed
 * @param ownFiles - which may have made it, where it does not say which
 */
export const strayFailed = (error: unknown, what: string, ownFiles: readonly string[]): TailmixError => {
  const place = placeOf(error) ?? (ownFiles.length === 0 ? null : ownFiles.join(' or '));
  return new TailmixError(
    `${place === null ? '' : `${place}: `}${what} failed while the run was trained: ${messageOf(error)}\n` +
      '  Catch it where it may fail, or wait for it in a hook that may be asynchronous (on…).',
    { code: 'STRAY_ERROR', cause: toError(error) },
  );
};

/** A plugin wants to end the process. */
export const exitCalled = (code: unknown): TailmixError =>
  new TailmixError(
    `process.exit(${code ?? ''}) was called while the run was trained. End a run with run.stop(reason), or throw an error.`,
    { code: 'EXIT_CALLED' },
  );

/** Where an error was made, outside of packages: file, line and column. */
function placeOf(error: unknown): string | null {
  for (const line of stackOf(error).split('\n').slice(1)) {
    const [, path, at] = /\(?(?:file:\/\/)?(\/[^()]+?):(\d+:\d+)\)?$/.exec(line) ?? [];
    if (path !== undefined && !line.includes('node:') && !path.includes('/node_modules/'))
      return `${displayPath(path)}:${at}`;
  }
  return null;
}

/** `tailmix cache clean` without anything to remove. */
export const cacheWhat = (): TailmixError =>
  config(
    'CACHE_WHAT',
    'cache clean: expected what to remove, got nothing. Name it as `tailmix cache ls` does, or give --unused DAYS or --all; --dry-run only shows what would go.',
  );

/** A name of nothing in the cache. */
export const cacheNameUnknown = (name: string, near: string | null): TailmixError =>
  config(
    'CACHE_NAME',
    `cache clean: expected a name in the cache, a data set, or a folder that images were packed from; got ${JSON.stringify(name)}.${near ? ` Did you mean ${JSON.stringify(near)}?` : ''} \`tailmix cache ls\` lists them.`,
  );

/** Something in the cache folder that tailmix did not put there. */
export const cacheNotOurs = (path: string): TailmixError =>
  config(
    'CACHE_NOT_OURS',
    `cache clean: expected something that tailmix put there; got ${path}, which may be yours. Remove it yourself.`,
  );

/** Nobody is there to be asked. */
export const cacheUnconfirmed = (): TailmixError =>
  config(
    'CACHE_UNCONFIRMED',
    'cache clean: expected your agreement, and there is no terminal to ask on. Repeat the command with --yes.',
  );

/** Something in the cache that cannot be removed. */
export const cacheNotRemoved = (path: string, cause: unknown): TailmixError =>
  new TailmixError(`cache clean: expected to remove ${path}; ${systemRefused(cause, 'remove it yourself')}`, {
    code: 'CACHE_REMOVE',
    cause,
  });

/** A run or sweep that nobody trains. */
export const nothingToWatch = (folder: string): TailmixError =>
  config(
    'WATCH_ENDED',
    `watch: expected a run or a sweep that is being trained; in ${folder} nothing is. \`tailmix report ${folder}\` shows what there is.`,
  );

/** A port that the system does not give. */
export const portTaken = (port: number, cause: unknown): TailmixError =>
  new TailmixError(
    `watch: expected to listen on port ${port} of 127.0.0.1; ${systemRefused(cause, 'name another with --port, or leave it out')}`,
    { code: 'WATCH_PORT', kind: 'config', cause },
  );
