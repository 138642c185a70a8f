import { messageOf, systemCure, TailmixError } from '../errors.ts';

const config = (code: string, message: string): TailmixError => new TailmixError(message, { code, kind: 'config' });
const run = (code: string, message: string, cause?: unknown): TailmixError =>
  new TailmixError(message, cause === undefined ? { code } : { code, cause });

/** What a file says, as far as a message needs it, on one line and without what a terminal would obey. */
function brief(text: string): string {
  const visible = text
    .slice(0, 120)
    .replaceAll(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return text.length > 120 ? `${visible}…` : visible;
}

/** Data that the weights at hand were not trained on. */
export const otherData = (where: string, trained: string, got: string): TailmixError =>
  config(
    'OTHER_DATA',
    `${where}: expected the data that it was trained on: ${trained}; got ${got}. Use that data (data.root), or --allow-other-data if this is meant; the run records it.`,
  );

/** The file with the digits, which is a part of tailmix, cannot be read. */
export const digitsUnreadable = (path: string, cause: unknown): TailmixError =>
  run(
    'DATA_MISSING',
    `data set "digits": expected ${path}, a part of tailmix; it cannot be read (${messageOf(cause)}). Install tailmix again.`,
    cause,
  );

/** A file of a data set does not hold what it should. */
export const badFile = (path: string, expected: string, got: string): TailmixError =>
  run('DATA_FILE', `${path}: expected ${expected}; got ${brief(got)}. Fetch or unpack the data set again.`);

/** The profile leaves a class without images. */
export const emptyClass = (name: string, ratio: number, largest: number): TailmixError =>
  config(
    'DATA_EMPTY_CLASS',
    `data.ratio: expected at most ${largest}, the size of the largest class, so that every class has an image; got ${ratio}, which leaves class "${name}" none. Lower the ratio.`,
  );

/** All images of a class were skipped. */
export const classUnread = (name: string): TailmixError =>
  run(
    'DATA_EMPTY_CLASS',
    `data set: expected a readable training image in every class; class "${name}" has none. Check its files, or take it out.`,
  );

/** Sampling weights of another length than the training set. */
export const samplingWeightCount = (expected: number, got: number): TailmixError =>
  run(
    'SAMPLING_WEIGHTS',
    `computeSamplingWeights: expected ${expected} weights, one per training image; got ${got}. Return a Float64Array of that length, or null.`,
  );

/** A sampling weight that is no weight. */
export const badSamplingWeight = (i: number, got: number): TailmixError =>
  run(
    'SAMPLING_WEIGHTS',
    `computeSamplingWeights: expected finite weights of 0 or more; got ${got} for image ${i}. Check the plugin that computes them.`,
  );

/** Sampling weights without a usable sum. */
export const noSamplingWeight = (sum: number): TailmixError =>
  run(
    'SAMPLING_WEIGHTS',
    `computeSamplingWeights: expected weights with a positive, finite sum; their sum is ${sum}. Check the plugin that computes them.`,
  );

/** A part is to be held out, and the data set has one of its own. */
export const splitTwice = (part: 'validation' | 'test', asked: number, has: number): TailmixError =>
  config(
    'DATA_SPLIT',
    `data.split.${part}: expected 0, because the data set has ${part} images of its own (${has}); got ${asked}. Leave it out, or take those images away.`,
  );

/** There is nothing to test on. */
export const splitMissing = (): TailmixError =>
  config(
    'DATA_SPLIT',
    'data.split.test: expected a fraction above 0, because the data set has no test images of its own; got none. Set data.split: { validation: 0.15, test: 0.15 }.',
  );

/** `data.split.group` asks for what a data set does not have. */
export const splitGroup = (name: string, kind: 'column' | 'pattern', needs: string): TailmixError =>
  config(
    'DATA_SPLIT',
    `data.split.group: expected ${needs}, for a ${kind}; got "${name}", which has none. Leave data.split.group out.`,
  );

/** A column of a data set that has no columns. */
export const splitColumn = (name: string): TailmixError =>
  splitGroup(name, 'column', 'a manifest, whose columns can be named');

/** Class folders that are in no split, where nothing says how to divide them. */
export const splitUnsaid = (root: string, classes: readonly string[]): TailmixError =>
  config(
    'DATA_SPLIT',
    `${root}: expected train/ with a folder per class, and test/, or data.split; got folders of images (${classes.slice(0, 5).join(', ')}${classes.length > 5 ? ', …' : ''}). Set data.split: { validation: 0.15, test: 0.15 } to divide them.`,
  );

/** Several splits that a run could be validated on. */
export const heldOutTwice = (where: string, names: readonly string[]): TailmixError =>
  run(
    'DATA_SPLIT',
    `${where}: expected one split for validation; got ${names.join(' and ')}. Take one away, or name it otherwise.`,
  );

/** `data.mean` or `data.std` of another length than the channels. */
export const channelCount = (option: 'mean' | 'std', name: string, expected: number, got: number): TailmixError =>
  config(
    'DATA_CHANNELS',
    `data.${option}: expected ${expected} ${expected === 1 ? 'number' : 'numbers'}, one per channel of "${name}"; got ${got}. Leave it out to use that of the data set.`,
  );

/** A file of pixels cannot be opened or read. */
export const readFailed = (path: string, reason: string, cause: unknown): TailmixError =>
  run(
    'DATA_READ',
    `${path}: expected a readable file; got "${reason}". ${systemCure(cause) ?? 'Check that it is still there.'}`,
    cause,
  );

/** A file of pixels ends too early. */
export const shortRead = (path: string, row: number, expected: number, got: number): TailmixError =>
  run(
    'DATA_READ',
    `${path}: expected ${expected} bytes for image ${row}; got ${got}. The file was cut off: delete it, and it will be made anew.`,
  );

/** An image in a packed file is not the one that was packed. */
export const imageChanged = (path: string, row: number): TailmixError =>
  run(
    'DATA_READ',
    `${path}: expected image ${row} as it was packed; its checksum differs. The file was changed or damaged: delete it, and it will be made anew.`,
  );

/** A thread of the loader ended by itself. */
export const loaderDied = (reason: string, cause: unknown): TailmixError =>
  run(
    'LOADER_DIED',
    `data loader: expected its threads to run until closed; one ended with "${reason}". Set data.workers to 0 to load in the main thread.`,
    cause,
  );

/** A name that is no built-in data set's, where no config says what it is relative to. */
export const datasetUnknown = (name: string, known: readonly string[]): TailmixError =>
  config(
    'DATA_UNKNOWN',
    `data.name: expected one of ${known.join(', ')}, or a data set made by defineDataset; got "${name}". In code import the module and pass what it exports.`,
  );

/** Options that a data set does not take, outside a config. */
export const datasetOptions = (
  name: string,
  { path, message }: { path: readonly PropertyKey[]; message: string },
): TailmixError =>
  config(
    'DATA_OPTIONS',
    `data.options: expected options of "${name}"; got ${path.length > 0 ? `${path.join('.')}: ` : ''}${message}. Correct data.options.`,
  );

/** A data set of the user's that throws. */
export const datasetThrew = (name: string, call: 'describe' | 'read', reason: string, cause: unknown): TailmixError =>
  run(
    'DATA_MODULE',
    `data set "${name}": expected its ${call} to give ${call === 'read' ? 'both splits' : 'counts and shape'}; it threw "${reason}". Check that its files are where it looks for them (data.root), or the module.`,
    cause,
  );

/** A data set of the user's that gives what no run can use. */
export const datasetGave = (name: string, call: 'describe' | 'read', expected: string, got: string): TailmixError =>
  run('DATA_MODULE', `data set "${name}": expected its ${call} to give ${expected}; got ${got}. Correct the module.`);

/** What is no split of images. */
export const splitRefused = (split: string, expected: string, got: string): TailmixError =>
  run('DATA_MODULE', `splitInMemory('${split}', …): expected ${expected}; got ${got}. Correct the data set.`);

/** None of the layouts of a data set is under the root. */
export const datasetMissing = (name: string, root: string, layouts: readonly string[]): TailmixError =>
  run(
    'DATA_MISSING',
    `data.root: expected "${name}" as ${layouts.join(' or ')} under ${root}; found neither. Set data.root, --data-root or TAILMIX_DATA.`,
  );

/** A category of the validation annotations that the training ones do not have. */
export const unknownCategory = (path: string, id: number, train: string): TailmixError =>
  run('DATA_CLASS', `${path}: expected categories of ${train}; got ${id}. Use the annotations of one data set.`);

/** A value of a JSON file for a message; it may be nested deeper than the stack. */
export function briefJson(value: unknown): string {
  if (typeof value === 'number') return String(value);
  try {
    return JSON.stringify(value) ?? 'none';
  } catch {
    return 'something nested';
  }
}

/** A line of a manifest that is no row of it. */
export const manifestRow = (path: string, line: number, expected: string, got: string): TailmixError =>
  run('DATA_MANIFEST', `${path}:${line}: expected ${expected}; got ${brief(got)}. Correct the line.`);

/** A manifest without a column, or without a split. */
export const manifestLacks = (path: string, expected: string, got: string): TailmixError =>
  run('DATA_MANIFEST', `${path}: expected ${expected}; got ${brief(got)}. Correct the file or data.options.`);

/** A file name that says no format of a manifest. */
export const manifestFormat = (path: string): TailmixError =>
  config('DATA_MANIFEST', `data.options.file: expected a .csv, .tsv or .jsonl file; got ${path}. Rename it.`);

/** An option that needs the class counts, which come with data that is not there. */
export const countsUnknown = (option: 'profile' | 'split', got: string, name: string, source: string): TailmixError =>
  config(
    'DATA_COUNTS',
    `data.${option}: expected "${name}" with its class counts, which are in ${source}; got ${got} without that file. Set data.root to its folder, or leave data.${option} out.`,
  );

/** A folder of class folders is not there, nor one of another name that would do. */
export const folderMissing = (folder: string, other?: string): TailmixError =>
  run(
    'DATA_MISSING',
    `${folder}${other === undefined ? '' : ` or ${other}`}: expected a folder with one folder of images per class; there is none. Set data.root, --data-root or TAILMIX_DATA.`,
  );

/** A link among class folders that leads back into a folder that it lies in. */
export const folderLoop = (path: string, target: string): TailmixError =>
  run('DATA_FOLDER', `${path}: expected folders that end; this is a link to ${target}, in which it lies. Remove it.`);

/** A folder of images that cannot be looked into. */
export const folderUnreadable = (path: string, cause: unknown): TailmixError => {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isDenied = code === 'EACCES' || code === 'EPERM';
  const cure = isDenied ? null : systemCure(cause, 'take it out');
  return run(
    'DATA_FOLDER',
    `${path}: expected a folder that can be read, with all that is in it; got "${isDenied ? 'permission denied' : message}". ${cure ?? 'Change its permissions (chmod -R u+rX), or take it out.'}`,
    cause,
  );
};

/** A link among class folders whose target is gone. */
export const linkToNothing = (path: string): TailmixError =>
  run('DATA_FOLDER', `${path}: expected a folder or a file; this is a link to nothing. Mend it, or remove it.`);

/** A split without class folders. */
export const noClasses = (folder: string): TailmixError =>
  run('DATA_EMPTY', `${folder}: expected one folder of images per class; it holds no folder. Check data.root.`);

/** A class folder without images. */
export const emptyFolder = (folder: string, extensions: readonly string[]): TailmixError =>
  run(
    'DATA_EMPTY',
    `${folder}: expected at least one image (${extensions.join(', ')}); found none. Add images or remove the folder.`,
  );

/** A class folder that is no class of the training set. */
export const unknownClass = (folder: string, classes: readonly string[]): TailmixError =>
  run(
    'DATA_CLASS',
    `${folder}: expected a class of the data set (${classes.slice(0, 10).join(', ')}${classes.length > 10 ? ', …' : ''}); this folder is none. Rename or remove it.`,
  );

/** Two names of a class that look the same. */
export const classInTwoForms = (where: string, twin: string): TailmixError =>
  run(
    'DATA_CLASS',
    `${where}: expected classes whose names differ; this one and ${JSON.stringify(twin)} look the same and differ in their Unicode normal form (NFC and NFD, as Linux and macOS write accents). Write the name in one form everywhere.`,
  );

/** A name that is not UTF-8, as old archives have. */
export const nameNotUnicode = (path: string): TailmixError =>
  run(
    'DATA_FOLDER',
    `${path}: expected names in UTF-8; this one has other bytes (shown as \ufffd). Rename it, for example with \`convmv -f latin1 -t utf8\`.`,
  );

/** A transform of colours, for images of another number of channels. */
export const transformChannels = (name: string, got: number): TailmixError =>
  config('DATA_AUGMENT', `data.augment: expected images of 3 channels for "${name}"; got ${got}. Take it out.`);

/** Transforms that end below the size of the model's input. */
export const transformSize = (got: readonly number[], expected: readonly number[]): TailmixError =>
  config(
    'DATA_AUGMENT',
    `data.augment: expected images of at least ${expected.slice(0, 2).join(' x ')} pixels in the end; got ${got.slice(0, 2).join(' x ')}. Let random-resized-crop or pad-crop be last, or raise data.packSize.`,
  );
