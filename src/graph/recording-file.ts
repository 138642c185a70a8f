import { readFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { displayPath, messageOf } from '../errors.ts';
import { recordingLacks, recordingUnreadable } from './errors.ts';
import { signatureKey } from './key.ts';
import { macsOf } from './macs.ts';
import type { Recorded, RecordedCalls } from './recorded-calls.ts';
import type { Recording } from './recording.ts';
import type { OpTrial } from './runs-op.ts';
import type { Signature } from './types.ts';

/** A signature as its function was called. */
export interface KeptCall {
  signature: Signature;
  recording: Recording;
}

/** Recordings of a run, for a machine that cannot record. */
export interface KeptRecordings {
  /** What they are of, by name: anything that decides what is recorded. */
  facts: Readonly<Record<string, string>>;
  /** By program, in order: a run has one for each of its phases. */
  programs: readonly (readonly KeptCall[])[];
}

const FORMAT = 'tailmix recordings 1';

/** Gzipped JSON; bytes of constants are in base 64. */
export const writeRecordings = (kept: KeptRecordings): Uint8Array =>
  gzipSync(JSON.stringify({ format: FORMAT, ...kept }, (_, value: unknown) => bytesToText(value)));

/**
 * Reads what {@link writeRecordings} gave.
 *
 * @throws {TailmixError} RECORDING_UNREADABLE
 */
export async function openRecordings(path: string): Promise<KeptRecordings> {
  let read: KeptRecordings & { format?: unknown };
  try {
    read = JSON.parse(gunzipSync(await readFile(path)).toString(), (_, value: unknown) => textToBytes(value));
  } catch (error) {
    throw recordingUnreadable(displayPath(path), messageOf(error));
  }
  if (read?.format !== FORMAT)
    throw recordingUnreadable(displayPath(path), `its format is ${JSON.stringify(read?.format)}`);
  return { facts: read.facts, programs: read.programs };
}

const BYTES = '$bytes';

const bytesToText = (value: unknown): unknown => {
  // `Buffer` has a form of its own in JSON.
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value).toString('base64') };
  return value;
};

const textToBytes = (value: unknown): unknown => {
  const text = (value as { [BYTES]?: unknown } | null)?.[BYTES];
  return typeof text === 'string' ? Uint8Array.from(Buffer.from(text, 'base64')) : value;
};

/** Recorded calls of a program that was recorded elsewhere. */
export function keptCalls(
  calls: readonly KeptCall[],
  rewrite: (recording: Recording, canRun: OpTrial) => Recording,
): Pick<RecordedCalls, 'macs' | 'verify'> & { add(signature: Signature): Pick<Recorded, 'recorded' | 'recording'> } {
  const byKey = new Map(calls.map((call) => [signatureKey(call.signature), call]));
  return {
    add(signature) {
      const found = byKey.get(signatureKey(signature));
      if (found === undefined) throw recordingLacks(signature);
      const { recording: recorded } = found;
      return { recorded, recording: rewrite(recorded, () => true) };
    },
    macs(signature) {
      const found = byKey.get(signatureKey(signature));
      return found ? macsOf(found.recording) : null;
    },
    // Nothing here can record once more.
    verify() {},
  };
}
