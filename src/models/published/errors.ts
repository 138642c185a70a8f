import { displayPath, TailmixError } from '../../errors.ts';
import { publishedNames } from '../model-names.ts';
import type { ArrayDifference } from './match.ts';

const SHOWN = 3;

/** A known network that a file of weights comes closest to. */
export interface Nearest {
  name: string;
  /** Arrays that it shares with the file by name, and all that either has. */
  shared: number;
  all: number;
}

/**
 * Weights of another network.
 *
 * @param stem - the file's name of the model's first kernel, whose shape tells the width and the channels of the images.
 */
export function weightsMismatch(
  { file, model, stem, nearest }: { file: string; model: string; stem: string; nearest: Nearest | null },
  differences: readonly ArrayDifference[],
): TailmixError {
  const group = (title: string, of: readonly ArrayDifference[], text: (one: ArrayDifference) => string): string[] => {
    if (of.length === 0) return [];
    const more = of.length > SHOWN ? ` and ${of.length - SHOWN} more` : '';
    return [`  ${title}: ${of.slice(0, SHOWN).map(text).join(', ')}${more}`];
  };
  const lines = [
    ...group(
      'missing',
      differences.filter(({ got }) => got === null),
      ({ name, expected }) => `${name} ${expected}`,
    ),
    ...group(
      'left over',
      differences.filter(({ expected }) => expected === null),
      ({ name, got }) => `${name} ${got}`,
    ),
    ...group(
      'different',
      differences.filter(({ expected, got }) => expected !== null && got !== null),
      ({ name, expected, got }) => `${name} (expected ${expected}, got ${got})`,
    ),
  ];
  const isOfWidth = differences.some(
    ({ name, expected, got }) => name === stem && expected !== null && got?.startsWith('['),
  );
  return new TailmixError(
    `model.weights: ${displayPath(file)}: expected the weights of ${model} as it is here.\n${lines.join('\n')}\n  ${cureOf(model, nearest, isOfWidth)}`,
    { code: 'WEIGHTS_MISMATCH', kind: 'config', path: 'model.weights' },
  );
}

function cureOf(model: string, nearest: Nearest | null, isOfWidth: boolean): string {
  const known = `${publishedNames.slice(0, -1).join(', ')} and ${publishedNames.at(-1)}`;
  if (nearest === null) {
    return `Its names are those of no known network. Weights of ${known} can be read, as torchvision and timm publish them.`;
  }
  const { name, shared, all } = nearest;
  const hasAll = shared === all;
  if (name === model && hasAll && isOfWidth)
    return `Its names are those of ${model}: set model.width and the channels of the images as it has them.`;
  if (name !== model && hasAll) return `The nearest known network is ${name} (all names): set model.name: ${name}.`;
  return `The nearest known network is ${name} (${hasAll ? 'all names' : `${shared} of ${all} names`}), and this variant of it is not supported. Weights of ${known} can be read, as torchvision and timm publish them.`;
}

/** A file of weights that is not the one a run began with. */
export const weightsChanged = (file: string, expected: string, got: string): TailmixError =>
  new TailmixError(
    `model.weights: ${displayPath(file)}: expected a file with SHA-256 ${expected.slice(0, 12)}…, got ${got.slice(0, 12)}…: it was changed. Restore the file, or remove model.weights.sha256.`,
    { code: 'WEIGHTS_CHANGED', kind: 'config', path: 'model.weights.sha256' },
  );

/** A `config.json` next to a file of weights that does not say how its images are prepared. */
export const weightsConfig = (file: string, place: string, problem: string): TailmixError =>
  new TailmixError(
    `model.weights: ${displayPath(file)}: ${place}: ${problem[0]!.toLowerCase()}${problem.slice(1)}. Get the file again, or move it away and set data.imageSize, cropFraction, interpolation, mean and std.`,
    { code: 'WEIGHTS_CONFIG', kind: 'config', path: 'model.weights' },
  );

/** Weights that no network can compute with. */
export const weightsInvalid = (file: string, name: string, expected: string, got: number): TailmixError =>
  new TailmixError(
    `model.weights: ${displayPath(file)}: ${name}: expected ${expected}, got ${got}. Get the file again, or use another.`,
    { code: 'WEIGHTS_INVALID', kind: 'config', path: 'model.weights' },
  );

/** Two places to start from. */
export const weightsAndInit = (): TailmixError =>
  new TailmixError(
    'model.weights: expected model.weights or model.init, got both. A run begins at one place: remove one of them.',
    { code: 'WEIGHTS_AND_INIT', kind: 'config', path: 'model.weights' },
  );
