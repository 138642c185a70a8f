import { messageOf, TailmixError } from '../errors.ts';
import { CaptureError } from '../graph/errors.ts';

const fromPlugin = (owner: string | undefined): { plugin?: string } => (owner === undefined ? {} : { plugin: owner });
const by = (owner: string | undefined): string => (owner === undefined ? '' : `[${owner}] `);

/** A tensor of a type that devices do not compute with. */
export const typeUnknown = (dtype: string): TailmixError =>
  new TailmixError(`expected tensors of numbers or booleans, got ${dtype}`, { code: 'PJRT_TYPE' });

/** An op that is not lowered, or not in this form. */
export const notLowered = (op: string, owner: string | undefined, why: string): CaptureError =>
  new CaptureError(
    `${by(owner)}train.device: expected ops that are lowered for devices; ${op} is not: ${why}. Compute with other ops, or train with train.device: cpu.`,
    { code: 'PJRT_OP', op, ...fromPlugin(owner) },
  );

/** A plugin's compiler refused a program; `op` and `owner` are known where it says which line it is about. */
export const compileRefused = (
  call: string,
  { op, owner }: { op?: string | undefined; owner?: string | undefined },
  cause: unknown,
): CaptureError =>
  new CaptureError(
    `${by(owner)}device, "${call}": the plugin does not compile ${op ?? 'the step'}: ${messageOf(cause).trim()}`,
    { code: 'PJRT_COMPILE', op, ...fromPlugin(owner), cause },
  );

/** A plugin failed while it computed or copied. */
export const deviceFailed = (what: string, cause: unknown): TailmixError => {
  const full = (cause as { code?: unknown } | null)?.code === '8';
  return new TailmixError(
    `device, ${what}: ${messageOf(cause).trim()}${full ? '\n  Its memory is full: lower train.batchSize or evaluate.batchSize, or use train.precision: bf16.' : ''}`,
    { code: full ? 'DEVICE_MEMORY' : 'DEVICE_FAILED', cause },
  );
};

/** A plugin's library cannot be opened, or finds no device. */
export const pluginRefused = (file: string, cause: unknown, cure: string): TailmixError =>
  new TailmixError(`PJRT plugin ${file}: ${messageOf(cause).trim()}. ${cure}`, {
    code: 'PJRT_PLUGIN',
    kind: 'config',
    cause,
  });

/** A device that a plugin does not have. */
export const deviceAbsent = (place: number, count: number): TailmixError =>
  new TailmixError(
    `train.device: expected ${count === 1 ? 'device 0, the only one that the plugin finds' : `devices 0 to ${count - 1}, which the plugin finds`}; got ${place}.`,
    { code: 'PJRT_DEVICE', kind: 'config', path: 'train.device' },
  );

/** `train.device: pjrt` without a plugin. */
export const pluginMissing = (): TailmixError =>
  new TailmixError(
    'train.device: expected a PJRT plugin for pjrt, found none. Set one up: `tailmix setup --device cuda13` (or cuda12, rocm7); or name its library: TAILMIX_PJRT=PLUGIN.so. Or train with train.device: cpu.',
    { code: 'PJRT_MISSING', kind: 'config', path: 'train.device' },
  );

/** A step for a device where nothing can record it. */
export const recorderMissing = (backend: string): TailmixError =>
  new TailmixError(
    `train.device: pjrt: expected TensorFlow, which records the step that the device computes; got the backend ${backend}. Run \`tailmix setup\`; or record where TensorFlow is, \`tailmix record CONFIG --out FILE\`, and train with --recording FILE.`,
    { code: 'DEVICE_RECORDER', kind: 'config', path: 'train.device' },
  );

/** Settings that a device does not have. */
export const deviceSetting = (path: string, expected: string, got: string): TailmixError =>
  new TailmixError(`train.device: pjrt: expected ${path} to be ${expected}, got ${got}.`, {
    code: 'DEVICE_SETTING',
    kind: 'config',
    path,
  });

/** An argument of a program that the plugin would read as something else. */
export const argumentDiffers = (call: string, name: string, expected: string, got: string): TailmixError =>
  new TailmixError(`device, "${call}", argument ${name}: expected ${expected}, got ${got}.`, { code: 'STEP_INPUT' });
