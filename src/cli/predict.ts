import { loadBackend } from '../backend/load.ts';
import { decodeInput } from '../data/packed/decode.ts';
import { displayPath } from '../errors.ts';
import type { CheckpointChoice } from '../tracking/choose-checkpoint.ts';
import { openTrained } from '../trained/open.ts';
import { predictLogits, softmax, topClasses } from '../trained/predict.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix predict`. */
export interface PredictCommandOptions extends ConfigFlags, CheckpointChoice {
  /** How many classes of each image; default 3. */
  top?: number;
  json?: boolean;
  allowOtherData?: boolean;
}

/** `tailmix predict`: the classes of image files, by a checkpoint of a run. */
export async function predict(
  wanted: string,
  files: readonly string[],
  { set = [], top = 3, checkpoint, strict, json, allowOtherData = false, ...flags }: PredictCommandOptions,
): Promise<number> {
  const run = await openTrained(
    wanted,
    { ...context, set, overrides: overridesOf(flags), allowOtherData },
    { checkpoint, strict },
  );
  const passedOver = tellPassedOver(run.damaged);
  const { directory, info, snapshot, exif } = run;
  const images: Uint8Array[] = [];
  for (const file of files) images.push(await decodeInput(file, info.imageShape, { packShape: info.packShape, exif }));
  await loadBackend(run.options.backend);
  const predictions = predictLogits(run, images).map((logits, i) => ({
    image: files[i]!,
    top: topClasses(softmax(logits), info.classes, top),
    logits: [...logits],
  }));
  if (json) {
    printJson({
      run: directory,
      checkpoint: run.checkpoint,
      passedOver,
      epoch: snapshot.epoch,
      classes: info.classes,
      predictions,
    });
    return 0;
  }
  print(`${displayPath(directory)}, epoch ${snapshot.epoch}`);
  for (const { image, top: guesses } of predictions) {
    const shown = guesses.map(({ class: name, probability }) => `${name} ${(100 * probability).toFixed(2)} %`);
    print(`${image}  ${shown.join(', ')}`);
  }
  return 0;
}
