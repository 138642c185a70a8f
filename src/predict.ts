import { join, resolve } from 'node:path';
import { defaults, registry } from '../plugins/index.ts';
import { type Backend, type BackendChoice, holdBackend } from './backend/load.ts';
import { messageOf } from './errors.ts';
import { type Exported, type ExportOptions, exportRun as writeExport } from './export/index.ts';
import { type Latency, measureLatency } from './export/latency.ts';
import { openOnnx } from './export/onnx/runtime.ts';
import { describeExport, type ExportAbout, isExport, isOnnx, openExport } from './export/open.ts';
import { isRun } from './tracking/run-directory.ts';
import { openNetwork } from './trained/network.ts';
import { type OpenOptions, openRun as open, type TrainedRun } from './trained/open.ts';
import { createPredictor, type Predictor } from './trained/predictor.ts';

export type { Exported, ExportOptions } from './export/index.ts';
export type { Int8Options, Int8Report } from './export/int8.ts';
export type { Latency } from './export/latency.ts';
export type { ExportAbout } from './export/open.ts';
export type { ImageInput, Pixels } from './trained/image-input.ts';
export type { OpenOptions, TrainedRun } from './trained/open.ts';
export type { Guess } from './trained/predict.ts';
export type { Answer, Prediction, PredictOptions, Predictor } from './trained/predictor.ts';

/** What a predictor was loaded from: the checkpoint of a run, or an export. */
export type PredictorSource = ({ run: TrainedRun } & { export?: never }) | ({ export: ExportAbout } & { run?: never });

/** How a predictor is loaded. */
export interface LoadPredictorOptions extends Partial<OpenOptions> {
  /** Default: the run's own; of an export `auto`. A process computes on one. */
  backend?: BackendChoice;
}

/**
 * Opens a trained run: settings, model and the weights of a checkpoint. Its data set need not be there.
 *
 * @param run - its directory, the name of one below `runs`, or that name without its time, for the newest
 * @throws {TailmixError} RUN_MISSING, RUN_DAMAGED, OTHER_DATA, CHECKPOINT_NOT_FOUND, CONFIG_INVALID
 */
export const openRun = (run: string, options: Partial<OpenOptions> = {}): Promise<TrainedRun> =>
  open(run, { registry, defaults, ...options });

/**
 * Loads a trained classifier. It keeps its weights and its backend until `dispose()`; several may live in one process, on
 * one backend.
 *
 * @param source - a run (as in {@link openRun}), a run that is open, or a folder that `tailmix export` wrote
 * @throws {TailmixError} BACKEND_BUSY where a run or another predictor of this process computes on another backend;
 *   EXPORT_DAMAGED, EXPORT_BACKEND, ONNX_RUNTIME for an export; and what {@link openRun} throws.
 * @example
 * const predictor = await loadPredictor('runs/photos-20260131-093000');
 * const { top } = await predictor.predict('cat.jpg', { top: 1 });
 */
export async function loadPredictor(
  source: string | TrainedRun,
  { backend: wanted, ...options }: LoadPredictorOptions = {},
): Promise<Predictor<PredictorSource>> {
  if (typeof source === 'string' && isExport(source) && !isRun(source)) return loadExported(resolve(source), wanted);
  const run = typeof source === 'string' ? await openRun(source, options) : source;
  const { release } = await holdBackend(wanted ?? run.options.backend);
  return releasedOnError(release, async () => createPredictor(openNetwork(run), { run }, release));
}

async function loadExported(folder: string, wanted: BackendChoice | undefined): Promise<Predictor<PredictorSource>> {
  const described = await describeExport(folder);
  const { about, ...rest } = described;
  const held = isOnnx(about.format) ? null : await holdBackend(wanted);
  const release = (): void => held?.release();
  return releasedOnError(release, async () => {
    const network = await openExport(described, held?.backend ?? null);
    return createPredictor({ ...rest, ...network }, { export: about }, release);
  });
}

async function releasedOnError<T>(release: () => void, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    release();
    throw error;
  }
}

/** What to export, and where to. */
export interface ExportRunOptions extends Omit<ExportOptions, 'folder'>, Partial<OpenOptions> {
  /** New or empty. Default: `export/<format>` in the run directory. */
  folder?: string;
  /** Default: the run's own, which must be native. */
  backend?: BackendChoice;
  /** Runs what was written, to say how long it takes; an export that cannot be run here is kept. Default: no. */
  measure?: boolean;
}

/**
 * Writes a trained run for TensorFlow, TensorFlow.js or ONNX Runtime, with what makes its input of a photo.
 *
 * @param run - as in {@link openRun}, or a run that is open
 * @returns the folder, its files, how far the exported logits are from the run's own, and with `measure` its latency, which is
 *   null where it could not be measured: `latencyMissing` says why (ONNX without onnxruntime-node, for example)
 * @throws {TailmixError} EXPORT_EXISTS, EXPORT_BACKEND, EXPORT_BATCH, EXPORT_OP, EXPORT_DIFFERS, EXPORT_INT8, EXPORT_IMAGES, and what {@link openRun}
 *   throws.
 */
export async function exportRun(
  run: string | TrainedRun,
  { format, folder, images, force, int8 = false, measure = false, backend: wanted, ...options }: ExportRunOptions,
): Promise<Exported & { folder: string } & Partial<Measured>> {
  const trained =
    typeof run === 'string'
      ? await openRun(run, { readImages: Boolean(int8), pixels: Boolean(int8), ...options })
      : run;
  const target = resolve(folder ?? join(trained.directory, 'export', int8 ? `${format}-int8` : format));
  const { backend, release } = await holdBackend(wanted ?? trained.options.backend);
  try {
    const { allowOtherData = false } = options;
    const own = { format, folder: target, int8, allowOtherData, ...(force && { force }), ...(images && { images }) };
    const { float, ...rest } = await writeExport(trained, backend, own);
    const exported = { folder: target, ...rest };
    return measure ? { ...exported, ...(await latencyOf(trained, format, target, backend, float)) } : exported;
  } finally {
    release();
  }
}

/** A latency, or why there is none. */
interface Measured {
  latency: Latency | null;
  /** With `int8`: that of the same model in float32. */
  floatLatency?: Latency;
  latencyMissing?: string;
}

/** Runs an export that is complete: whatever fails here does not take it back. */
async function latencyOf(
  { info: { imageShape, classes } }: TrainedRun,
  format: ExportOptions['format'],
  folder: string,
  backend: Backend,
  float: Uint8Array | undefined,
): Promise<Measured> {
  const measured = async (network: Awaited<ReturnType<typeof openOnnx>>): Promise<Latency> => {
    try {
      return await measureLatency(network, imageShape, format);
    } finally {
      await network.dispose();
    }
  };
  try {
    const network = await openExport({ about: { folder, format }, imageShape, classes }, backend);
    const latency = await measured(network);
    return float ? { latency, floatLatency: await measured(await openOnnx(float, folder, imageShape)) } : { latency };
  } catch (error) {
    return { latency: null, latencyMissing: messageOf(error) };
  }
}
