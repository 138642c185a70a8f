import { displayPath } from '../errors.ts';
import type { ExportOptions } from '../export/index.ts';
import { exportRun, openRun } from '../predict.ts';
import { milliseconds } from '../report/format.ts';
import type { CheckpointChoice } from '../tracking/choose-checkpoint.ts';
import { fileSize } from '../util/file-size.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix export`. */
export interface ExportCommandOptions extends ConfigFlags, CheckpointChoice {
  format: ExportOptions['format'];
  /** Folder to write to. Default: `export/<format>` in the run directory. */
  out?: string;
  images?: ExportOptions['images'];
  force?: boolean;
  json?: boolean;
  allowOtherData?: boolean;
}

/** `tailmix export`: a checkpoint of a run as a classifier for other programs. */
export async function exportCommand(
  wanted: string,
  {
    set = [],
    format,
    out,
    images,
    force,
    checkpoint,
    strict,
    json,
    allowOtherData = false,
    ...flags
  }: ExportCommandOptions,
): Promise<number> {
  const overrides = overridesOf(flags);
  const run = await openRun(wanted, { ...context, set, overrides, allowOtherData, checkpoint, strict });
  const passedOver = tellPassedOver(run.damaged);
  const { folder, files, difference, largest, latency, latencyMissing } = await exportRun(run, {
    format,
    measure: true,
    ...(force && { force }),
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
      latency,
      ...(latencyMissing !== undefined && { latencyMissing }),
    });
  else {
    const sizes = files.map(
      ({ path, bytes }) => `  ${path.padEnd(Math.max(...files.map((file) => file.path.length)))}  ${fileSize(bytes)}`,
    );
    print(
      [
        `${displayPath(folder)}  ${format}`,
        ...sizes,
        `epoch ${epoch}; logits differ from the run's own by at most ${difference.toExponential(1)} (largest ${largest.toPrecision(3)})`,
        latency
          ? `one image ${milliseconds(latency.one)}, 32 images ${milliseconds(latency.thirtyTwo)} (median on this machine, ${latency.runtime})`
          : `latency not measured: ${latencyMissing}`,
      ].join('\n'),
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
