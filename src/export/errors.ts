import { systemRefused, TailmixError } from '../errors.ts';

const config = (code: string, message: string, plugin?: string): TailmixError =>
  new TailmixError(message, { code, kind: 'config', ...(plugin === undefined ? {} : { plugin }) });

/** The engine whose ops are written down is not there. */
export const exportBackend = (got: string): TailmixError =>
  config(
    'EXPORT_BACKEND',
    `export: expected the native engine, whose ops are what is exported; got ${got}. Run \`tailmix setup\`, or use --backend native.`,
  );

/** A folder that holds something. */
export const exportExists = (folder: string): TailmixError =>
  config(
    'EXPORT_EXISTS',
    `${folder}: expected a new or empty folder to export to. Choose another --out, or --force, which replaces an export.`,
  );

/** A folder that holds something else than an export. */
export const notAnExport = (folder: string, has: string): TailmixError =>
  config(
    'EXPORT_EXISTS',
    `${folder}: expected an export that tailmix wrote and nothing else, for --force to replace; it has ${has}. Choose another --out.`,
  );

/** The folder, or a file in it, cannot be written. */
export const exportNotWritten = (folder: string, cause: unknown): TailmixError =>
  new TailmixError(`${folder}: expected to write the export there; ${systemRefused(cause, 'choose another --out')}`, {
    code: 'EXPORT_NOT_WRITTEN',
    cause,
  });

/** An op that would work for one number of images only. */
export const batchFrozen = (op: string, plugin: string | undefined): TailmixError =>
  config(
    'EXPORT_BATCH',
    `${plugin === undefined ? '' : `[${plugin}] `}export: expected ops that work for any number of images; ${op} takes that number as a constant. Let the shape follow from a tensor (reshape with -1, broadcasting).`,
    plugin,
  );

/** Two recordings of the prediction, of batches of different sizes, are not the same ops. */
export const opsDependOnBatch = (first: string, second: string, plugin: string | undefined): TailmixError =>
  config(
    'EXPORT_BATCH',
    `${plugin === undefined ? '' : `[${plugin}] `}export: expected the same ops for any number of images; got ${first} for one number and ${second} for another.`,
    plugin,
  );

/** An op that a format, or our writer of it, lacks. */
export const opNotMapped = (format: string, op: string, detail: string, plugin: string | undefined): TailmixError =>
  config(
    'EXPORT_OP',
    `${plugin === undefined ? '' : `[${plugin}] `}export: expected ops that ${format} can be written with; got ${op}${detail}. Use another --format.`,
    plugin,
  );

/** The exported graph does not compute what the run predicts. */
export const exportDiffers = (difference: number, largest: number): TailmixError =>
  new TailmixError(
    `export: expected the logits of the run; the exported graph differs by ${difference.toExponential(1)} where logits reach ${largest.toPrecision(3)}. A plugin's prediction depends on more than its input; nothing was written.`,
    { code: 'EXPORT_DIFFERS' },
  );

/** A model of 8 bits in a format that has no such form here. */
export const int8Format = (got: string): TailmixError =>
  config('EXPORT_INT8', `export: expected the format onnx with int8; got ${got}. Export to onnx, or leave int8 out.`);

/** A run whose images are needed and were not read. */
export const int8NeedsImages = (): TailmixError =>
  config(
    'EXPORT_IMAGES',
    'export: expected a run that was opened with its images, which int8 is calibrated and evaluated on; it has none. Open it with `readImages: true`.',
  );

type Figures = Record<'accuracy' | 'balancedAccuracy', number>;

/** What is said where rounding to 8 bits costs more than a bound; null where it does not. */
export function int8Loses(float32: Figures, int8: Figures, bound: number): string | null {
  const lost = (figure: keyof Figures): number => float32[figure] - int8[figure];
  const points = (figure: keyof Figures): string => (100 * lost(figure)).toFixed(2);
  if (Math.max(lost('accuracy'), lost('balancedAccuracy')) <= bound) return null;
  return `export: int8 loses ${points('accuracy')} points of accuracy and ${points('balancedAccuracy')} of balanced accuracy on the test set, more than ${(100 * bound).toFixed(0)}.\n  Export without int8, or calibrate on more images.`;
}

/** A folder that is no whole export. */
export const damagedExport = (where: string, expected: string, got: string, cause?: unknown): TailmixError =>
  new TailmixError(`${where}: expected ${expected}; got ${got}. Export the run again.`, {
    code: 'EXPORT_DAMAGED',
    cause,
  });

/** A SavedModel where TensorFlow is not set up. */
export const savedModelBackend = (folder: string, got: string): TailmixError =>
  config(
    'EXPORT_BACKEND',
    `${folder}: expected the native backend, which runs a SavedModel; got ${got}. Run \`tailmix setup\`, or export to tfjs or onnx.`,
  );

/** An ONNX model where its runtime is not installed. */
export const onnxRuntimeMissing = (path: string, cause: string): TailmixError =>
  config(
    'ONNX_RUNTIME',
    `${path}: expected onnxruntime-node, which runs it; it does not load (${cause.split('\n')[0]}). Run \`npm install onnxruntime-node\`, or export to tfjs.`,
  );
