import type { TensorFlowBinding } from '../backend/binding.ts';
import { expectSame } from './compare.ts';
import { signatureKey } from './key.ts';
import { macsOf } from './macs.ts';
import { peakBytes } from './memory.ts';
import { mergeEqual } from './prune.ts';
import { type RecordOptions, recordOnce, recordSignature } from './record.ts';
import type { Recording } from './recording.ts';
import { createOpTrial, type OpTrial } from './runs-op.ts';
import { createShapeInference } from './shapes.ts';
import type { GraphProgram, Signature } from './types.ts';

/** How the signatures of a program are recorded. */
export interface RecordedCallsOptions extends Omit<RecordOptions, 'shapes'> {
  /** Rewrites each recording, for example with cheaper ops. Default: equal ops are merged. */
  rewrite?: ((recording: Recording, canRun: OpTrial) => Recording) | undefined;
}

/** A signature with its recording. */
export interface Recorded {
  signature: Signature;
  /** As the function was called. */
  recorded: Recording;
  /** As it runs. */
  recording: Recording;
  /** Bytes that the call holds at most, by the shapes of its recording. */
  bytes: number;
  /** Its place in the order of recording. */
  index: number;
}

/** The signatures of a program that have been recorded. */
export interface RecordedCalls {
  /** Whether TensorFlow can run an op on this machine. */
  readonly canRun: OpTrial;
  /** In the order of recording. */
  all(): Recorded[];
  get(signature: Signature): Recorded | undefined;
  /** Records a signature that was not. */
  add(signature: Signature): Recorded;
  forget(signature: Signature): void;
  /** The call that holds most memory. */
  peak(): { call: string; bytes: number };
  /** Multiply–accumulates of a signature, as it was recorded; null where it was not. */
  macs(signature: Signature): number | null;
  /**
   * Records every signature once more and compares it.
   *
   * @throws {CaptureError} CAPTURE_VARIES where a host value has changed since.
   */
  verify(): void;
}

/** Records signatures of a program as they are asked for, each once. */
export function createRecordedCalls(
  program: GraphProgram,
  binding: TensorFlowBinding,
  { rewrite = mergeEqual, owner, rehearse }: RecordedCallsOptions,
): RecordedCalls {
  const shapes = createShapeInference(binding);
  const canRun = createOpTrial(shapes);
  const calls = new Map<string, Recorded>();
  return {
    canRun,
    all: () => [...calls.values()],
    get: (signature) => calls.get(signatureKey(signature)),
    add(signature) {
      const key = signatureKey(signature);
      const known = calls.get(key);
      if (known !== undefined) return known;
      const recorded = recordSignature(program, signature, { shapes, owner, rehearse });
      const recording = rewrite(recorded, canRun);
      const call = { signature, recorded, recording, bytes: peakBytes(recording), index: calls.size };
      calls.set(key, call);
      return call;
    },
    forget: (signature) => void calls.delete(signatureKey(signature)),
    peak: () =>
      [...calls.values()].reduce(
        (most, { signature, bytes }) => (bytes > most.bytes ? { call: signature.call, bytes } : most),
        { call: '', bytes: 0 },
      ),
    macs(signature) {
      const call = calls.get(signatureKey(signature));
      return call ? macsOf(call.recorded) : null;
    },
    verify() {
      for (const { signature, recorded } of calls.values())
        expectSame(signature.call, recorded, recordOnce(program, signature, { shapes, owner }));
    },
  };
}
