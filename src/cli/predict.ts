import type { BackendChoice } from '../backend/load.ts';
import { displayPath } from '../errors.ts';
import { isExport } from '../export/open.ts';
import { loadPredictor } from '../predict.ts';
import { isRun } from '../tracking/run-directory.ts';
import type { Answer, Prediction } from '../trained/predictor.ts';
import { csvRow } from '../util/csv.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { exportHasNo } from './errors.ts';
import { listImages } from './list-images.ts';
import { commandLine, tellNext } from './next.ts';
import { complain, print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix predict`. */
export interface PredictCommandOptions extends ConfigFlags {
  /** How many classes of each image; default 3. */
  top?: number;
  recursive?: boolean;
  csv?: boolean;
  jsonl?: boolean;
  json?: boolean;
  checkpoint?: string;
  strict?: boolean;
  trust?: boolean;
  sources?: 'kept' | 'current';
  allowOtherData?: boolean;
}

/** `tailmix predict`: the classes of image files, by a checkpoint of a run or an export. */
export async function predict(
  wanted: string,
  paths: readonly string[],
  { set = [], top = 3, recursive, csv, jsonl, json, allowOtherData, ...flags }: PredictCommandOptions,
): Promise<number> {
  const { checkpoint, strict, trust, sources, ...configFlags } = flags;
  const runOnly = { '--set': set.length > 0, '--checkpoint': checkpoint !== undefined, '--strict': strict };
  const unfit = Object.entries(runOnly).find(([, isGiven]) => isGiven);
  if (unfit && isExport(wanted) && !isRun(wanted)) throw exportHasNo(wanted, unfit[0]);
  const images = await listImages(paths, recursive ?? false);
  const predictor = await loadPredictor(wanted, {
    ...context,
    set,
    overrides: overridesOf(configFlags),
    ...(allowOtherData && { allowOtherData }),
    checkpoint,
    strict,
    trust,
    sources,
    ...(configFlags.backend !== undefined && { backend: configFlags.backend as BackendChoice }),
  });
  const { classes, from } = predictor;
  const passedOver = tellPassedOver(from.run?.damaged ?? []);
  const epoch = from.run?.snapshot.epoch ?? from.export!.epoch;
  const write = csv ? csvWriter(Math.min(top, classes.length)) : jsonl ? writeJsonLine : json ? null : writeLine;
  const failed: { image: string; error: string }[] = [];
  const predictions: object[] = [];
  try {
    if (write === writeLine) print(`${displayPath(from.run?.directory ?? from.export!.folder)}, epoch ${epoch}`);
    for await (const answer of predictor.stream(images, { top })) {
      write?.(answer);
      if (answer.error) failed.push({ image: answer.image, error: answer.error.message });
      else if (json) predictions.push({ image: answer.image, ...shown(answer.prediction) });
    }
  } finally {
    await predictor.dispose();
  }
  if (json) {
    const source = from.run
      ? { run: from.run.directory, checkpoint: from.run.checkpoint, passedOver }
      : { export: from.export!.folder };
    printJson({ ...source, epoch, classes, predictions, failed });
  }
  if (failed.length === 0) {
    if (!json && !jsonl && from.run) {
      const place = displayPath(from.run.directory);
      tellNext([
        commandLine('export', place, '--format', 'onnx'),
        'writes it for other programs; also tfjs, saved-model',
      ]);
    }
    return 0;
  }
  if (images.length > 1) complain(`${failed.length} of ${images.length} images could not be read:`);
  for (const { error } of failed) complain(error);
  return 1;
}

const shown = ({ top, logits }: Prediction) => ({ top, logits: [...logits] });

/** A line for people; images that could not be read come at the end. */
function writeLine({ image, prediction }: Answer<string>): void {
  if (!prediction) return;
  const guesses = prediction.top.map(({ class: name, probability }) => `${name} ${(100 * probability).toFixed(2)} %`);
  print(`${image}  ${guesses.join(', ')}`);
}

const writeJsonLine = ({ image, prediction, error }: Answer<string>): void =>
  print(JSON.stringify(error ? { image, error: error.message } : { image, ...shown(prediction) }));

/** Writes the header, and then a row of each image: `class_1` is the likeliest. */
function csvWriter(top: number): (answer: Answer<string>) => void {
  const places = Array.from({ length: top }, (_, place) => place);
  const columns = places.flatMap((place) => [`class_${place + 1}`, `probability_${place + 1}`]);
  print(csvRow(['image', ...columns, 'error']));
  return ({ image, prediction, error }) => {
    const guesses = places.flatMap((place) => [prediction?.top[place]?.class, prediction?.top[place]?.probability]);
    print(csvRow([image, ...guesses, error?.message]));
  };
}
