import { expectSame } from './compare.ts';
import { unknownCall } from './errors.ts';
import { dropUnused } from './prune.ts';
import type { Recording } from './recording.ts';
import type { ShapeInference } from './shapes.ts';
import { trace } from './trace.ts';
import type { GraphProgram, Signature } from './types.ts';

/** Who records, and what changes in between. */
export interface RecordOptions {
  shapes: ShapeInference;
  /** Who is building right now: a plugin's name. Called while recording, for error messages. */
  owner?: (() => string | undefined) | undefined;
  /**
   * Called before each of a signature's two recordings. Give every host value that differs between calls (batch, epoch,
   * learning rate …) another value in each: what then differs between the recordings is refused, since a graph would
   * freeze it.
   */
  rehearse?: ((recording: 1 | 2, signature: Signature) => void) | undefined;
}

/**
 * Records one signature of a program.
 *
 * @throws {CaptureError} if the function cannot become a graph.
 */
export function recordOnce(
  { functions, state }: GraphProgram,
  signature: Signature,
  { shapes, owner }: Omit<RecordOptions, 'rehearse'>,
): Recording {
  const fn = functions[signature.call];
  if (fn === undefined) throw unknownCall(signature.call, Object.keys(functions));
  return dropUnused(trace(fn, signature, { shapes, state, owner }));
}

/**
 * Records one signature of a program twice, and compares the two recordings.
 *
 * @throws {CaptureError} if the function cannot become a graph, or if the recordings differ (CAPTURE_VARIES).
 */
export function recordSignature(
  program: GraphProgram,
  signature: Signature,
  { rehearse, ...options }: RecordOptions,
): Recording {
  rehearse?.(1, signature);
  const first = recordOnce(program, signature, options);
  rehearse?.(2, signature);
  expectSame(signature.call, first, recordOnce(program, signature, options));
  return first;
}
