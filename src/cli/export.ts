import type { RunContext } from '../config/load.ts';
import { displayPath } from '../errors.ts';
import type { ExportOptions } from '../export/index.ts';
import type { Int8Report } from '../export/int8.ts';
import { exportRun, openRun } from '../predict.ts';
import { milliseconds } from '../report/format.ts';
import type { CheckpointChoice } from '../tracking/choose-checkpoint.ts';
import { fileSize } from '../util/file-size.ts';
import { type ConfigFlags, context, overridesOf } from './context.ts';
import { commandLine, tellNext } from './next.ts';
import { print, printJson, tellPassedOver } from './output.ts';

/** Options of `tailmix export`. */
export interface ExportCommandOptions extends ConfigFlags, CheckpointChoice, Pick<RunContext, 'trust' | 'sources'> {
  format: ExportOptions['format'];
  /** Folder to write to. Default: `export/<format>` in the run directory. */
  out?: string;
  images?: ExportOptions['images'];
  int8?: boolean;
  /** Default: 256. */
  calibrationImages?: number;
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
    int8 = false,
    calibrationImages,
    force,
    checkpoint,
    strict,
    trust,
    sources,
    json,
    allowOtherData = false,
    ...flags
  }: ExportCommandOptions,
): Promise<number> {
  const overrides = overridesOf(flags);
  const run = await openRun(wanted, {
    ...context,
    set,
    overrides,
    allowOtherData,
    checkpoint,
    strict,
    trust,
    sources,
    readImages: int8,
    pixels: int8,
  });
  const passedOver = tellPassedOver(run.damaged);
  const exported = await exportRun(run, {
    format,
    measure: true,
    allowOtherData,
    ...(int8 && { int8: calibrationImages === undefined || { calibrationImages } }),
    ...(force && { force }),
    ...(out !== undefined && { folder: out }),
    ...(images && { images }),
  });
  const { folder, files, difference, largest, latency, latencyMissing, floatLatency, int8: report } = exported;
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
      ...(report && { int8: report, floatLatency }),
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
        ...(report ? describeInt8(report) : []),
        latency
          ? `one image ${milliseconds(latency.one)}, 32 images ${milliseconds(latency.thirtyTwo)} (median on this machine, ${latency.runtime})`
          : `latency not measured: ${latencyMissing}`,
        ...(floatLatency
          ? [
              `in float32 one image ${milliseconds(floatLatency.one)}, 32 images ${milliseconds(floatLatency.thirtyTwo)}`,
            ]
          : []),
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

/** What rounding to 8 bits did. */
function describeInt8({ calibration, test, bytes }: Int8Report): string[] {
  const share = (value: number): string => `${(100 * value).toFixed(2)}%`;
  const of = { validation: 'validation images', train: 'training images, because there are no validation images' };
  const row = (figure: 'accuracy' | 'balancedAccuracy'): string =>
    `${share(test.float32[figure])} in float32, ${share(test.int8[figure])} in int8`;
  return [
    `int8: model.onnx is ${fileSize(bytes.int8)} instead of ${fileSize(bytes.float32)}; calibrated on ${calibration.images} ${of[calibration.split]}`,
    `accuracy ${row('accuracy')}; balanced ${row('balancedAccuracy')} (${test.images} test images; ${share(test.agreement)} have the same class in both)`,
  ];
}
