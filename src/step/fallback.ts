import { messageOf } from '../errors.ts';
import { CaptureError, type OpenGraph, signatureKey } from '../graph/index.ts';
import type { Engine } from './types.ts';

/** An engine, and which of its state a call replaces. */
type Captured = Engine & Pick<OpenGraph, 'replacedBy'>;

/**
 * A captured engine that becomes an eager one for good when a signature fails at its first run: TensorFlow refuses some
 * graphs only then. The state is that of before the failed run. Before the first run, so does a recording that is out
 * of date; afterwards, steps have been computed from it, and that is an error.
 *
 * @param eager - makes the engine to go on with, given the reason
 */
export function withFallback(captured: Captured, eager: (reason: string) => Engine): Engine {
  let engine: Engine = captured;
  let isAsBegun = true;
  const proven = new Set<string>();
  /** `before`: what may have changed since, as it was; null: all state is as an engine begins with it. */
  const becomeEager = (error: unknown, before: Record<string, Float32Array> | null): void => {
    if (!(error instanceof CaptureError)) throw error;
    const state = before && { ...captured.read(), ...before };
    engine = eager(messageOf(error));
    if (state) engine.write(state);
    captured.dispose();
  };
  return {
    get mode() {
      return engine.mode;
    },
    get reason() {
      return engine.reason;
    },
    get precision() {
      return engine.precision;
    },
    get precisionReason() {
      return engine.precisionReason;
    },
    get compileMs() {
      return engine.compileMs;
    },
    macs: captured.macs,
    run(signature, inputs) {
      const key = signatureKey(signature);
      if (engine !== captured || proven.has(key)) return engine.run(signature, inputs);
      const before = isAsBegun ? null : captured.read(captured.replacedBy(signature));
      try {
        const outputs = captured.run(signature, inputs);
        isAsBegun = false;
        proven.add(key);
        return outputs;
      } catch (error) {
        becomeEager(error, before);
        return engine.run(signature, inputs);
      }
    },
    read: (names) => engine.read(names),
    write(values) {
      isAsBegun = false;
      engine.write(values);
    },
    verify() {
      try {
        engine.verify();
      } catch (error) {
        if (proven.size > 0) throw error;
        becomeEager(error, isAsBegun ? null : {});
      }
    },
    dispose: () => engine.dispose(),
  };
}
