import { displayPath, messageOf, TailmixError } from '../errors.ts';

/** A file that is not there, or may not be read. */
export const weightsUnreadable = (path: string, cause: unknown): TailmixError => {
  const { code } = cause as NodeJS.ErrnoException;
  const got = code === 'ENOENT' ? 'there is no such file' : messageOf(cause);
  return new TailmixError(
    `${displayPath(path)}: expected a file of weights (.safetensors, .safetensors.index.json, .pth, .pt, .bin); ${got}.`,
    { code: 'WEIGHTS_MISSING', kind: 'config', cause },
  );
};

/** A file of a known format whose bytes contradict each other. */
export const weightsDamaged = (path: string, found: string): TailmixError =>
  new TailmixError(
    `${displayPath(path)}: expected a complete file of weights; ${found}. It is damaged or was not downloaded in full: get it again.`,
    { code: 'WEIGHTS_DAMAGED', kind: 'config' },
  );

/** A file of no known format. */
export const notWeights = (path: string, found: string): TailmixError =>
  new TailmixError(
    `${displayPath(path)}: expected a file of weights (safetensors, or what torch.save writes of a state_dict); ${found}.`,
    { code: 'WEIGHTS_FORMAT', kind: 'config' },
  );

/** A file that holds more than arrays: nothing of it is executed. */
export const weightsRefused = (path: string, what: string): TailmixError =>
  new TailmixError(
    `${displayPath(path)}: expected arrays in dicts and nothing else; it has ${what}, and nothing of a weights file is executed.\n` +
      '  Save the arrays alone: torch.save(model.state_dict(), FILE), or safetensors.torch.save_file.',
    { code: 'WEIGHTS_REFUSED', kind: 'config' },
  );

/** An array that no such file has. */
export const arrayMissing = (path: string, name: string): TailmixError =>
  new TailmixError(`${displayPath(path)}: expected an array "${name}"; there is none of that name.`, {
    code: 'WEIGHTS_ARRAY',
    kind: 'config',
  });
