import { displayPath } from '../errors.ts';
import type { ExportOptions } from '../export/index.ts';
import { exportRun, openRun } from '../predict.ts';
import type { CheckpointChoice } from '../tracking/choose-checkpoint.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix export`. */
export interface ExportCommandOptions extends ConfigFlags, CheckpointChoice {
  format: ExportOptions['format'];
  /** Folder to write to. Default: `export/<format>` in the run directory. */
  out?: string;
  images?: ExportOptions['images'];
  json?: boolean;
  allowOtherData?: boolean;
}

/** `tailmix export`: a checkpoint of a run as a classifier for other programs. */
export async function exportCommand(
  wanted: string,
  { set = [], format, out, images, checkpoint, strict, json, allowOtherData = false, ...flags }: ExportCommandOptions,
): Promise<number> {
  const overrides = overridesOf(flags);
  const run = await openRun(wanted, { ...context, set, overrides, allowOtherData, checkpoint, strict });
  const passedOver = tellPassedOver(run.damaged);
  const { folder, files, difference, largest } = await exportRun(run, {
    format,
    ...(out !== undefined && { folder: out }),
    ...(images && { images }),
  });
  const { epoch } = run.snapshot;
  if (json)
    printJson({
      run: run.directory,
      checkpoint: run.checkpoint,
      passedOver,
      epoch,
      format,
      folder,
      files,
      difference,
      largest,
    });
  else {
    const megabytes = files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
    print(
      `${displayPath(folder)}  ${format}, ${files.map(({ path }) => path).join(', ')}, ${megabytes.toFixed(2)} MB\n` +
        `epoch ${epoch}; logits differ from the run's own by at most ${difference.toExponential(1)} (largest ${largest.toPrecision(3)})`,
    );
    tellNext(
      [commandLine('predict', displayPath(folder), 'IMAGE…'), 'classes of images, by the export'],
      [
        `loadPredictor(${JSON.stringify(displayPath(folder))})`,
        "from 'tailmix/predict', in a program: docs/predict.md",
      ],
    );
  }
  return 0;
}
