import { InvalidArgumentError, Option } from 'commander';
import { DEVICE_CHOICE } from '../../pjrt/choice.ts';

/** Takes a command's exit code. */
export type Finish = (exitCode: number) => void;

export const collect = (value: string, before: string[] = []): string[] => [...before, value];

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Expected a whole number above 0.');
  return Number(text);
}

/** `0,1,2`. */
export function seedList(text: string): number[] {
  if (!/^\d+(,\d+)*$/.test(text))
    throw new InvalidArgumentError('Expected whole numbers with commas between them: 0,1,2.');
  return text.split(',').map(Number);
}

/** A regular expression, as text. */
export function pattern(text: string): string {
  try {
    return new RegExp(text, 'u').source;
  } catch {
    throw new InvalidArgumentError('Expected a regular expression.');
  }
}

/** As `train.device` has it. */
function deviceChoice(text: string): string {
  if (!DEVICE_CHOICE.test(text)) throw new InvalidArgumentError('Expected cpu, pjrt, pjrt:all, pjrt:1 or pjrt:0,1.');
  return text;
}

/** `tail,shift`. */
export function sections(text: string): string[] {
  const wanted = text === 'all' ? [...SECTIONS] : text.split(',');
  const other = wanted.find((name) => !SECTIONS.includes(name));
  if (other !== undefined) throw new InvalidArgumentError(`Expected ${SECTIONS.join(', ')} or all, not "${other}".`);
  return wanted;
}

/** As `metricsSections` has them, which a test compares; not imported, so that the command line starts at once. */
export const SECTIONS: readonly string[] = ['tail', 'calibration', 'shift', 'shift-known', 'classes'];

export function webFolder(url: string, before: string[] = []): string[] {
  if (!/^https?:/.test(url) || !URL.canParse(url)) {
    throw new InvalidArgumentError('Expected the address of a folder, http://… or https://….');
  }
  return [...before, url];
}

export const setOption = (): Option =>
  new Option('--set <path=value>', 'put a value over the config, for example train.epochs=3; repeatable').argParser(
    collect,
  );
export const jsonOption = (): Option => new Option('--json', 'print one JSON document on standard output');
export const backendOption = (): Option =>
  new Option('--backend <name>', 'engine').choices(['auto', 'native', 'native-gpu', 'wasm']);
export const deviceOption = (): Option =>
  new Option('--device <name>', 'what computes: cpu, pjrt, or devices of it: pjrt:1, pjrt:0,1, pjrt:all').argParser(
    deviceChoice,
  );
export const sweepDeviceOption = (): Option =>
  new Option(
    '--device <name>',
    'what computes; of several devices, pjrt:0,1 or pjrt:all, each runs one at a time',
  ).argParser(deviceChoice);
export const recordingOption = (): Option =>
  new Option('--recording <file>', 'what tailmix record wrote of this run: a device computes it without TensorFlow');
export const takeOverOption = (): Option =>
  new Option('--take-over', 'take the folder from a process that cannot be seen from here: on another machine');
export const checkpointOption = (): Option =>
  new Option('--checkpoint <which>', 'last, best, an epoch, or a file (default: last, or the one before if damaged)');
export const strictOption = (): Option =>
  new Option('--strict', 'refuse an older checkpoint where the newest is damaged');
export const trustOption = (): Option =>
  new Option('--trust', 'run the code that is kept with a run of someone else, or of another machine');
export const sourcesOption = (): Option =>
  new Option(
    '--sources <which>',
    'own code that was changed since the run: as it was, or as it is (default: kept)',
  ).choices(['kept', 'current']);
export const metricsOption = (): Option =>
  new Option(
    '--metrics <sections>',
    `print more figures: ${SECTIONS.join(', ')}, with commas between them, or all`,
  ).argParser(sections);
export const otherDataOption = (): Option =>
  new Option('--allow-other-data', 'go on although the weights were trained on other classes or images');
export const dataRootOption = (): Option => new Option('--data-root <dir>', 'folder of the data set');

/** What `--help` shows at its end. */
export const example = (...lines: string[]): string => `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
