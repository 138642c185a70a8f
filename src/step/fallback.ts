import { messageOf } from '../errors.ts';
import { CaptureError, signatureKey } from '../graph/index.ts';
import type { Engine } from './types.ts';

/**
 * A captured engine that becomes an eager one for good when a signature fails at its first run: TensorFlow refuses some
 * graphs only then. The state is that of before the failed run. Before the first run, so does a recording that is out
 * of date; afterwards, steps have been computed from it, and that is an error.
 *
 * @param eager - makes the engine to go on with, given the reason
 */
export function withFallback(captured: Engine, eager: (reason: string) => Engine): Engine {
  let engine = captured;
  const proven = new Set<string>();
  const becomeEager = (error: unknown, state: Record<string, Float32Array>): void => {
    if (!(error instanceof CaptureError)) throw error;
    engine = eager(messageOf(error));
    engine.write(state);
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
    run(signature, inputs) {
      const key = signatureKey(signature);
      if (engine !== captured || proven.has(key)) return engine.run(signature, inputs);
      const before = engine.read();
      try {
        const outputs = engine.run(signature, inputs);
        proven.add(key);
        return outputs;
      } catch (error) {
        becomeEager(error, before);
        return engine.run(signature, inputs);
      }
    },
    read: (names) => engine.read(names),
    write: (values) => engine.write(values),
    verify() {
      try {
        engine.verify();
      } catch (error) {
        if (proven.size > 0) throw error;
        becomeEager(error, engine.read());
      }
    },
    dispose: () => engine.dispose(),
  };
}
