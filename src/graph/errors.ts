import { type ErrorDetails, messageOf, TailmixError } from '../errors.ts';
import { dtypeName, type TensorSpec } from './recording.ts';
import type { Signature } from './types.ts';

/** A function cannot be captured, or TensorFlow refused its graph: run it eagerly instead. */
export class CaptureError extends TailmixError {
  /** The TensorFlow op at fault, where one is. */
  readonly op: string | undefined;

  constructor(message: string, { op, ...details }: ErrorDetails & { op?: string | undefined }) {
    super(message, details);
    this.op = op;
  }
}

/** Where an error arose: the function's name, and the plugin that was building, if known. */
export interface Place {
  call: string;
  owner?: string | undefined;
}

const at = ({ call, owner }: Place): string => `${owner === undefined ? '' : `[${owner}] `}captured "${call}"`;

const refuse = (
  code: string,
  place: Place,
  message: string,
  more: { op?: string; cause?: unknown } = {},
): CaptureError =>
  new CaptureError(`${at(place)}: ${message}`, {
    code,
    ...(place.owner === undefined ? {} : { plugin: place.owner }),
    ...more,
  });

const tensorText = ({ dtype, shape }: TensorSpec): string => `${dtypeName(dtype)} [${shape.join(', ')}]`;

/** The running backend is not the one whose binding would be recorded. */
export const backendNotNative = (got: string): CaptureError =>
  new CaptureError(`captured step: expected the backend "tensorflow", got "${got}". Use the eager step on it.`, {
    code: 'CAPTURE_BACKEND',
  });

/** The op keeps state, has side effects, or is unknown. */
export const opNotPure = (place: Place, op: string): CaptureError =>
  refuse(
    'CAPTURE_OP',
    place,
    `expected ops whose result depends on their inputs alone; got ${op}. Draw random numbers on the host or with a stateless op whose seed is an input, or use the eager step.`,
    { op },
  );

/** The op's output shape depends on values, and tfjs would freeze the shape of the trace. */
export const shapeNotFixed = (place: Place, op: string): CaptureError =>
  refuse(
    'CAPTURE_SHAPE',
    place,
    `expected ops whose output shape follows from the shapes of their inputs; got ${op}. Mask instead of selecting, or use the eager step.`,
    { op },
  );

/** An op failed on trial values, so its output shapes are unknown. */
export const opFailed = (place: Place, op: string, cause: unknown): CaptureError =>
  refuse('CAPTURE_OP', place, `${op} does not run: ${messageOf(cause)}`, {
    op,
    cause,
  });

/** `dataSync`, `data`, `arraySync`, `print` … while recording. */
export const readBack = (place: Place, tensor: TensorSpec): CaptureError =>
  refuse(
    'CAPTURE_READ',
    place,
    `expected no tensor to be read while the step is recorded; got a read of a ${tensorText(tensor)}, which has no value yet. Keep the arithmetic in tensors, or move the decision to the host and pass its result as an input.`,
  );

/** A loaded model was run while recording. */
export const nestedModel = (place: Place): CaptureError =>
  refuse('CAPTURE_OP', place, 'expected tensor ops; got a call of a saved model. Use the eager step.');

/** A tensor of an earlier recording came back. */
export const staleTensor = (place: Place, op: string): CaptureError =>
  refuse(
    'CAPTURE_STALE',
    place,
    `expected tensors of this call; ${op} got one that was kept from an earlier recording. Make tensors inside the function, and keep host values only.`,
    { op },
  );

/** A `tf.Variable` outside the declared state. */
export const variableUsed = (place: Place, name: string, what: 'read' | 'made' | 'assigned'): CaptureError =>
  refuse(
    'CAPTURE_VARIABLE',
    place,
    `expected no tf.Variable; "${name}" was ${what}. A graph would keep its first value: make it an input, or state that the function returns.`,
  );

/** Tensors outlived the recording. */
export const tensorsKept = (place: Place, count: number, op: string): CaptureError =>
  refuse(
    'CAPTURE_LEAK',
    place,
    `expected every tensor to be gone after the call; ${count} stayed, the first from ${op}. Drop the tf.keep, or return the tensor as state.`,
    { op },
  );

/** The function returned something else than named tensors that fit. */
export const badResult = (place: Place, what: string, expected: string, got: string): CaptureError =>
  refuse('CAPTURE_RESULT', place, `${what}: expected ${expected}, got ${got}.`);

/** A host value differed between two recordings. */
export const valueVaries = (
  place: Place,
  tensor: TensorSpec,
  consumer: string,
  element: number,
  first: string,
  second: string,
): CaptureError =>
  refuse(
    'CAPTURE_VARIES',
    place,
    `expected host values that never change; a ${tensorText(tensor)} that feeds ${consumer} was${tensor.shape.length > 0 ? `, at element ${element},` : ''} ${first} in one recording and ${second} in the next. A graph would keep the first for ever: declare it as an input.`,
    { op: consumer },
  );

/** An attribute (a host number given to an op) differed between two recordings. */
export const attributeVaries = (place: Place, op: string, name: string, first: string, second: string): CaptureError =>
  refuse(
    'CAPTURE_VARIES',
    place,
    `expected attributes that never change; ${name} of ${op} was ${first} in one recording and ${second} in the next. Compute with an input tensor instead, or declare a variant.`,
    { op },
  );

/** The list of ops differed between two recordings. */
export const opsVary = (place: Place, index: number, first: string, second: string): CaptureError =>
  refuse(
    'CAPTURE_VARIES',
    place,
    `expected the same ops in every recording; op ${index} was ${first} in one and ${second} in the next. Declare what decides between them as a variant.`,
    { op: first },
  );

/** TensorFlow did not load the graph. */
export const graphRefused = (cause: unknown): CaptureError =>
  new CaptureError(`captured step: TensorFlow refuses the graph: ${messageOf(cause)}`, { code: 'CAPTURE_LOAD', cause });

/** More constants than a graph file holds. */
export const graphTooLarge = (bytes: number): CaptureError =>
  new CaptureError(
    `captured step: expected constants of less than 496 MiB, got ${bytes} bytes. Make large host arrays inputs or state.`,
    { code: 'CAPTURE_SIZE' },
  );

/** The session failed while it ran. */
export const runFailed = (place: Place, op: string | undefined, cause: unknown): CaptureError =>
  refuse('CAPTURE_RUN', place, `the graph failed: ${messageOf(cause)}`, {
    ...(op === undefined ? {} : { op }),
    cause,
  });

/** A signature calls a function that the program lacks. */
export const unknownCall = (call: string, known: readonly string[]): TailmixError =>
  new TailmixError(`captured step: expected a call of ${known.join(', ')}; got ${JSON.stringify(call)}.`, {
    code: 'STEP_CALL',
  });

/** State of that name does not exist, or has another size. */
export const badState = (name: string, expected: string, got: string): TailmixError =>
  new TailmixError(`captured step, state ${JSON.stringify(name)}: expected ${expected}, got ${got}.`, {
    code: 'STEP_STATE',
  });

/** A graph was used after `dispose()`. */
export const graphDisposed = (): TailmixError =>
  new TailmixError('captured step: expected a live engine, got one that was disposed. Create another.', {
    code: 'STEP_DISPOSED',
  });

/** An input that does not fit the signature. */
export const wrongInput = (call: string, name: string, expected: string, got: string): TailmixError =>
  new TailmixError(`step ${call}, input ${name}: expected ${expected}, got ${got}.`, { code: 'STEP_INPUT' });

/** A file of recordings that is none, is damaged, or is of another version. */
export const recordingUnreadable = (file: string, why: string): TailmixError =>
  new TailmixError(
    `${file}: expected recordings of this version of tailmix, as \`tailmix record\` writes them: ${why}.`,
    {
      code: 'RECORDING_UNREADABLE',
      kind: 'config',
    },
  );

/** Recordings without a call that a run makes. */
export const recordingLacks = ({ call, variants, inputs }: Signature): CaptureError => {
  const rows = inputs.labels?.shape[0] ?? inputs.images?.shape[0];
  const which = Object.entries(variants).map(([name, value]) => `, ${name} ${value}`);
  return new CaptureError(
    `recordings: expected "${call}" of ${rows} rows${which.join('')}, which they do not hold. Record the run again, with \`tailmix record\` and the same config.`,
    { code: 'RECORDING_LACKS' },
  );
};
