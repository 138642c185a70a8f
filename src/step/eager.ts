import { messageOf, TailmixError } from '../errors.ts';
import { checkFeeds } from '../graph/check.ts';
import type { GraphProgram, HostArray, HostOutputs, Signature } from '../graph/index.ts';
import { watchKeeps } from '../graph/keeps.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { sizeOf } from '../util/shape.ts';
import { kernelMissing, unknownState } from './errors.ts';
import { createLeakWatch, liveTensors, warnOfLeak } from './leaks.ts';
import { currentOwner } from './owner.ts';
import type { Engine } from './types.ts';

/**
 * The reference engine: calls the program's functions op by op. Every other engine must agree with it.
 *
 * With the first training step, a prediction of a few zeros is made and dropped: one that does not work is known then,
 * and not after an epoch. The host hooks have been called by then.
 */
export function createEagerEngine(
  program: GraphProgram,
  { reason = null, precisionReason = null }: Partial<Pick<Engine, 'reason' | 'precisionReason'>> = {},
): Engine {
  const state: NamedTensors = mapValues(program.state, ({ shape, values }) => tf.keep(tf.tensor(values, [...shape])));
  const known = (name: string): tf.Tensor => {
    const tensor = state[name];
    if (!tensor) throw unknownState(name);
    return tensor;
  };
  const replace = (name: string, tensor: tf.Tensor): void => {
    const before = known(name);
    state[name] = tf.keep(tensor.clone());
    before.dispose();
  };
  let isTried = false;
  const tryPrediction = (): void => {
    if (isTried) return;
    isTried = true;
    const signature = program.signatures.find(({ call }) => call === 'predict');
    if (signature) tryOnZeros(program, withRows(signature, TRIED_IMAGES), state);
  };
  const watches = Object.fromEntries(Object.keys(program.functions).map((call) => [call, createLeakWatch()]));
  let leaking: string | null = null;
  return {
    mode: 'eager',
    reason,
    precision: 'fp32',
    precisionReason,
    compileMs: 0,
    macs: () => null,
    run(signature, inputs) {
      checkFeeds(signature, inputs);
      const step = program.functions[signature.call]!;
      const outputs: HostOutputs = {};
      const compute = (): void =>
        withKernels(() =>
          tf.tidy(() => {
            const after = step(state, tensorsOf(signature, inputs), signature.variants);
            for (const [name, tensor] of Object.entries(after.outputs)) outputs[name] = hostCopy(tensor);
            for (const [name, tensor] of Object.entries(after.state)) replace(name, tensor);
          }),
        );
      if (leaking === signature.call) {
        leaking = null;
        const keeps = watchKeeps(currentOwner);
        try {
          compute();
        } finally {
          keeps.stop();
        }
        const ours = new Set(Object.values(state));
        const keepers = keeps.left().flatMap(({ tensor, keeper }) => (ours.has(tensor) ? [] : [keeper]));
        for (const keeper of new Set(keepers)) {
          warnOfLeak(keeper, `eager "${signature.call}"`, keepers.filter((other) => other === keeper).length);
        }
        return outputs;
      }
      const before = liveTensors();
      compute();
      if (signature.call === 'train') tryPrediction();
      if (watches[signature.call]!(liveTensors() - before)) leaking = signature.call;
      return outputs;
    },
    read(names = Object.keys(state)) {
      return Object.fromEntries(names.map((name) => [name, hostCopy(known(name)) as Float32Array]));
    },
    write(values) {
      tf.tidy(() => {
        for (const [name, array] of Object.entries(values)) replace(name, tf.tensor(array, known(name).shape));
      });
    },
    verify() {},
    dispose() {
      tf.dispose(state);
      for (const name of Object.keys(state)) delete state[name];
    },
  };
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

/** Of a ResNet-32, a tenth of a step of 128 images. */
const TRIED_IMAGES = 32;

/** The signature with at most so many rows. */
const withRows = (signature: Signature, most: number): Signature => ({
  ...signature,
  inputs: mapValues(signature.inputs, ({ shape: [rows = 1, ...rest], dtype }) => ({
    shape: [Math.min(rows, most), ...rest],
    dtype,
  })),
});

function tryOnZeros({ functions }: GraphProgram, signature: Signature, state: NamedTensors): void {
  const zeros = mapValues(signature.inputs, ({ shape, dtype }) => new ARRAYS[dtype](sizeOf(shape)));
  const step = functions[signature.call]!;
  withKernels(() => tf.tidy(() => void step({ ...state }, tensorsOf(signature, zeros), signature.variants)));
}

const hostCopy = (tensor: tf.Tensor): Float32Array | Int32Array =>
  tensor.dataSync().slice() as Float32Array | Int32Array;

function tensorsOf(signature: Signature, inputs: Readonly<Record<string, HostArray>>): NamedTensors {
  return mapValues(signature.inputs, ({ shape, dtype }, name) =>
    dtype === 'int32'
      ? tf.tensor(inputs[name]!, [...shape], 'int32')
      : tf.tensor(dtype === 'uint8' ? Float32Array.from(inputs[name]!) : inputs[name]!, [...shape], 'float32'),
  );
}

/** Runs a step; a kernel that the backend lacks is an error that says so. */
function withKernels(compute: () => void): void {
  try {
    compute();
  } catch (error) {
    const lacking = /Kernel '(\w+)' not registered for backend '(\w+)'/.exec(messageOf(error));
    const plugin = error instanceof TailmixError ? error.plugin : undefined;
    throw lacking ? kernelMissing(lacking[1]!, lacking[2]!, plugin, error) : error;
  }
}
