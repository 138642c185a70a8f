import { createHash } from 'node:crypto';

/** Checksum of a text or of bytes, hex. */
export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A value as a JSON file with its own checksum, by which {@link isSealBroken} tells whether one bit of it has changed. */
export const sealedJson = (value: object): string =>
  `${JSON.stringify({ ...value, sha256: sha256(JSON.stringify(value)) }, null, 2)}\n`;

/** Whether what was read from a file of {@link sealedJson} is not what was written; one without a checksum is as it is. */
export function isSealBroken(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('sha256' in value)) return false;
  const { sha256: seal, ...rest } = value;
  return seal !== sha256(JSON.stringify(rest));
}

/** What tells whether a file, or its beginning, is what was written. */
export interface FileSeal {
  bytes: number;
  /** Hex. */
  sha256: string;
}

/** Seal of the content of a file, as text or in parts. */
export function sealOf(content: string | readonly Uint8Array[]): FileSeal {
  if (typeof content === 'string') return { bytes: Buffer.byteLength(content), sha256: sha256(content) };
  const hash = createHash('sha256');
  for (const part of content) hash.update(part);
  return { bytes: content.reduce((sum, { length }) => sum + length, 0), sha256: hash.digest('hex') };
}

/** Whether a file begins with what its seal is of. */
export const beginsAs = (content: string, seal: FileSeal): boolean =>
  sha256(Buffer.from(content).subarray(0, seal.bytes)) === seal.sha256;
