import { internal } from '../errors.ts';
import type { GraphProgram, Signature } from '../graph/index.ts';

/** The foreseen signature of a call: by variants and, for training, by the number of trained rows. */
export function signatureFor(
  { signatures }: GraphProgram,
  call: string,
  variants: Readonly<Record<string, string>>,
  size?: number,
): Signature {
  const found = signatures.find(
    (signature) =>
      signature.call === call &&
      (size === undefined || signature.inputs.labels?.shape[0] === size) &&
      Object.entries(variants).every(([name, value]) => signature.variants[name] === value),
  );
  if (!found) throw internal(`no signature ${call} of ${size} rows with ${JSON.stringify(variants)}`);
  return found;
}
