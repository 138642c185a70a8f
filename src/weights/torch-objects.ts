import { sizeOf } from '../util/shape.ts';
import { weightsRefused } from './errors.ts';
import { MOST_DIMENSIONS } from './limits.ts';
import { type Opaque, PickleError, type PickleWorld, type Value } from './pickle.ts';
import type { ArrayInfo, Dtype } from './types.ts';

/** Bytes of a PyTorch file that tensors are views of. */
export interface TorchStorage extends Opaque {
  kind: 'storage';
  /** Its name in the file. */
  key: string;
  dtype: Dtype;
  /** Its number of elements. */
  length: number;
}

/** A tensor as a view of a storage. */
export interface TorchTensor extends Opaque, ArrayInfo {
  kind: 'tensor';
  storage: TorchStorage;
  /** First element in the storage. */
  first: number;
  /** Null for a row-major tensor without gaps. */
  strides: readonly number[] | null;
}

interface Named extends Opaque {
  kind: 'global';
  name: string;
}

const STORAGES: Readonly<Record<string, Dtype>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

const isA = <Kind extends Opaque>(value: Value | undefined, kind: Kind['kind']): value is Kind & Value =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;

/**
 * The closed list of what a PyTorch file may name: ordered dicts, storages, and the functions that make tensors of them.
 *
 * @param path - for messages
 * @throws {TailmixError} WEIGHTS_REFUSED naming anything else.
 */
export function torchWorld(path: string): PickleWorld {
  const calls: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
    'collections.OrderedDict': orderedDict,
    'torch._utils._rebuild_tensor': (args) => rebuilt(path, args),
    'torch._utils._rebuild_tensor_v2': (args) => rebuilt(path, args),
    'torch._utils._rebuild_parameter': ([data]) => data ?? null,
  };
  const storages = new Map(Object.entries(STORAGES).map(([name, dtype]) => [`torch.${name}`, dtype]));
  return {
    global(module, name) {
      const whole = `${module}.${name}`;
      if (!Object.hasOwn(calls, whole) && !storages.has(whole)) throw weightsRefused(path, nameOf(whole));
      return { kind: 'global', name: whole } satisfies Named;
    },
    call(callee, args) {
      const name = isA<Named>(callee, 'global') ? callee.name : '';
      if (!Object.hasOwn(calls, name)) throw weightsRefused(path, `a call of ${name || 'what is no function'}`);
      return calls[name]!(args);
    },
    build(target) {
      // What an ordered dict carries in addition are the versions of modules.
      if (!(target instanceof Map)) throw weightsRefused(path, 'state of an object that is no dict');
    },
    persistent(id) {
      const [word, type, key, , length] = Array.isArray(id) ? id : [];
      const dtype = isA<Named>(type, 'global') ? storages.get(type.name) : undefined;
      if (word !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(length)) {
        throw new PickleError('a storage is not described by type, name and length');
      }
      return { kind: 'storage', key, dtype, length } satisfies TorchStorage;
    },
  };
}

/** A dict, filled by what follows or by pairs of keys and values. */
function orderedDict([pairs = []]: readonly Value[]): Value {
  if (!Array.isArray(pairs)) throw new PickleError('an ordered dict is made of what is no list');
  return new Map(
    pairs.map((pair): [Value, Value] => {
      if (!Array.isArray(pair) || pair.length !== 2) throw new PickleError('an item of an ordered dict is no pair');
      return [pair[0]!, pair[1]!];
    }),
  );
}

function rebuilt(path: string, [storage, first, shape, strides]: readonly Value[]): TorchTensor {
  if (!isA<TorchStorage>(storage, 'storage')) throw new PickleError('a tensor has no storage');
  if (!isCount(first) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length) {
    throw new PickleError('a tensor is not described by offset, shape and strides');
  }
  if (shape.length > MOST_DIMENSIONS) throw new PickleError(`a tensor has ${shape.length} dimensions`);
  const size = sizeOf(shape);
  const last = shape.reduce((end, length, axis) => end + (length - 1) * strides[axis]!, first);
  if (size > 0 && !(last < storage.length)) {
    throw new PickleError(`a tensor [${shape.join(', ')}] does not fit its storage of ${storage.length} elements`);
  }
  if (size > 0 && overlaps(shape, strides)) {
    throw weightsRefused(
      path,
      `a tensor [${shape.join(', ')}] whose elements share memory (strides ${strides.join(', ')})`,
    );
  }
  const isPlain = size === 0 || rowMajor(shape).every((stride, axis) => shape[axis] === 1 || stride === strides[axis]);
  return { kind: 'tensor', storage, first, shape, dtype: storage.dtype, strides: isPlain ? null : strides };
}

const isCount = (value: Value | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: Value | undefined): value is number[] => Array.isArray(value) && value.every(isCount);

/** Elements from one index to the next of a row-major array. */
const rowMajor = (shape: readonly number[]): number[] => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));

/** Whether two indices may lead to one element: no, where each stride steps over all that smaller ones reach. */
function overlaps(shape: readonly number[], strides: readonly number[]): boolean {
  const axes = shape.flatMap((length, axis) => (length > 1 ? [{ length, stride: strides[axis]! }] : []));
  axes.sort((a, b) => a.stride - b.stride);
  let reach = 0;
  for (const { length, stride } of axes) {
    if (stride <= reach) return true;
    reach += (length - 1) * stride;
  }
  return false;
}

/** Where training scripts put the state_dict in a checkpoint, the first that is there. */
const STATE_DICTS = ['state_dict', 'model_state_dict', 'model'] as const;

/**
 * The tensors of a state_dict, or of the one in a checkpoint, by name; `module.`, which data-parallel training puts before all
 * names, is left out.
 *
 * @throws {TailmixError} WEIGHTS_REFUSED where there is none.
 */
export function stateDictOf(path: string, value: Value): Map<string, TorchTensor> {
  if (!(value instanceof Map)) throw weightsRefused(path, 'something other than a dict at its top');
  const own = tensorsOf(value);
  const within = STATE_DICTS.map((key) => value.get(key)).find((inner) => inner instanceof Map);
  const tensors = own.size === 0 && within ? tensorsOf(within as Map<Value, Value>) : own;
  if (tensors.size === 0) {
    const keys = [...value.keys()].slice(0, 8).map(nameOf).join(', ');
    throw weightsRefused(path, `no tensor at its top or in ${STATE_DICTS.join(', ')} (keys: ${keys || 'none'})`);
  }
  const prefix = 'module.';
  const isWrapped = [...tensors.keys()].every((name) => name.startsWith(prefix));
  return isWrapped ? new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])) : tensors;
}

/** A value in a message: nested ones are not spelled out, since a few bytes can describe any number of them. */
export function nameOf(value: Value): string {
  if (typeof value === 'string') return value.slice(0, 80);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return 'a list';
  return value instanceof Map ? 'a dict' : `a ${value.kind}`;
}

const tensorsOf = (dict: ReadonlyMap<Value, Value>): Map<string, TorchTensor> =>
  new Map(
    [...dict].flatMap(([name, value]): [string, TorchTensor][] =>
      typeof name === 'string' && isA<TorchTensor>(value, 'tensor') ? [[name, value]] : [],
    ),
  );
