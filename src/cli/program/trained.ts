import { type Command, Option } from 'commander';
import { shiftNames } from '../../metrics/shift.ts';
import {
  backendOption,
  checkpointOption,
  dataRootOption,
  example,
  type Finish,
  jsonOption,
  metricsOption,
  otherDataOption,
  setOption,
  sourcesOption,
  strictOption,
  trustOption,
  wholeNumber,
} from './options.ts';

/** The commands that use a trained run. */
export function addTrained(program: Command, finish: Finish): void {
  onImagesOfTheRun(
    program
      .command('evaluate')
      .description('evaluate a checkpoint of a run')
      .argument('<run>', 'its directory or its name')
      .addOption(setOption())
      .addOption(splitOption())
      .addOption(metricsOption())
      .option('--ood <folder>', 'images that are of none of the classes: AUROC and FPR95 by the highest probability')
      .addOption(
        new Option('--shift <name>', 'images of the split in the proportions of a shifted test set').choices(
          shiftNames,
        ),
      )
      .option('--adapt', 'also figures of a prediction that is fitted to these images first, without their labels')
      .addOption(
        new Option(
          '--from-logits',
          'figures of the last evaluation, from the logits that the run has kept: without model and images',
        ).conflicts([
          'ood',
          'adapt',
          'shift',
          'set',
          'checkpoint',
          'strict',
          'trust',
          'sources',
          'backend',
          'dataRoot',
          'allowOtherData',
        ]),
      ),
  )
    .addHelpText(
      'after',
      example(
        'tailmix evaluate runs/digits-remix-20260131-093000 --split test --json',
        'tailmix evaluate runs/digits-remix-20260131-093000 --from-logits --metrics tail,calibration',
      ),
    )
    .action(async (run, options) => finish(await (await import('../evaluate/index.ts')).evaluate(run, options)));

  onImagesOfTheRun(
    program
      .command('mistakes')
      .description('list the images that a run gets wrong and likely wrong labels, and show them')
      .argument('<run>', 'its directory or its name')
      .addOption(splitOption())
      .option('--out <dir>', 'folder of the list and the picture (default: mistakes/<split> in the run directory)')
      .addOption(setOption()),
  )
    .addHelpText('after', example('tailmix mistakes runs/photos-20260131-093000'))
    .action(async (run, options) => finish(await (await import('../mistakes.ts')).mistakes(run, options)));

  ofTheRun(
    program
      .command('predict')
      .description('classes of images, by a checkpoint of a run or by an export')
      .argument('<run>', 'its directory or its name, or a folder that export wrote')
      .argument('<images...>', 'image files, or folders of them')
      .option('--recursive', 'images in sub-folders too')
      .addOption(new Option('--top <k>', 'classes shown of each image').argParser(wholeNumber).default(3)),
    setOption(),
  )
    .addOption(new Option('--jsonl', 'print a line of JSON for each image').conflicts('json'))
    .addOption(new Option('--csv', 'print a table, for spreadsheets').conflicts(['json', 'jsonl']))
    .addHelpText(
      'after',
      example(
        'tailmix predict runs/digits-remix-20260131-093000 seven.png --top 2',
        'tailmix predict photos inbox --recursive --csv > classes.csv',
      ),
    )
    .action(async (run, images, options) =>
      finish(await (await import('../predict.ts')).predict(run, images, options)),
    );

  ofTheRun(
    program
      .command('export')
      .description('write a checkpoint of a run for TensorFlow, TensorFlow.js or ONNX Runtime')
      .argument('<run>', 'its directory or its name')
      .addOption(
        new Option('--format <name>', 'what to write; onnx with --int8').choices([
          'saved-model',
          'tfjs',
          'onnx',
          'mlflow',
        ]),
      )
      .option('--int8', 'ONNX with weights and activations of 8 bits; says what that costs on the test set')
      .addOption(
        new Option('--calibration-images <n>', 'validation images that --int8 measures activations on (default: 256)')
          .argParser(wholeNumber)
          .implies({ int8: true }),
      )
      .option(
        '--out <dir>',
        'folder to write to (default: export/<format> in the run directory; with --int8 export/onnx-int8)',
      )
      .option('--force', 'replace an export that is there')
      .addOption(
        new Option('--images <type>', 'what onnx takes (default: uint8; mlflow takes that, the others both)').choices([
          'uint8',
          'float32',
        ]),
      ),
    setOption(),
  )
    .addHelpText('after', example('tailmix export runs/digits-remix-20260131-093000 --format tfjs --out model'))
    .action(async (run, options, command: Command) => {
      const format =
        options.format ??
        (options.int8 ? 'onnx' : command.error("error: required option '--format <name>' not specified", MISSING));
      finish(await (await import('../export.ts')).exportCommand(run, { ...options, format }));
    });
}

/** As commander says it of an option without which nothing works. */
const MISSING = { code: 'commander.missingMandatoryOptionValue' };

const splitOption = (): Option => new Option('--split <name>', 'split').choices(['test', 'validation']).default('test');

/** Which checkpoint of a run is used, and on what; `own` stands among these. */
const ofTheRun = (command: Command, own: Option): Command =>
  command
    .addOption(checkpointOption())
    .addOption(strictOption())
    .addOption(trustOption())
    .addOption(sourcesOption())
    .addOption(own)
    .addOption(backendOption())
    .addOption(otherDataOption())
    .addOption(jsonOption());

/** The same for commands that read the run's data set. */
const onImagesOfTheRun = (command: Command): Command => ofTheRun(command, dataRootOption());
