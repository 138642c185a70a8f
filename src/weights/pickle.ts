import { MOST_OBJECTS } from './limits.ts';

/** A value of a pickle. Lists and tuples are arrays, dicts are maps. */
export type Value = null | boolean | number | bigint | string | Value[] | Map<Value, Value> | Opaque;

/** An object that only the caller knows: a class, a function, or what one of them gave. */
export interface Opaque {
  readonly kind: string;
}

/** What the caller makes of names, calls and persistent ids. Each throws what it does not know. */
export interface PickleWorld {
  /** A class or function, for example `torch._utils._rebuild_tensor_v2`. */
  global(module: string, name: string): Opaque;
  /** A call of one. */
  call(callee: Value, args: readonly Value[]): Value;
  /** State for an object, from `__reduce__`. */
  build(target: Value, state: Value): void;
  persistent(id: Value): Value;
}

/** A pickle that is cut, or has an op that is not read. */
export class PickleError extends Error {}

/**
 * Reads one pickle of protocol 2 to 5 by a closed list of ops. Nothing is executed or looked up by name: what a pickle
 * wants to call is given to `world`, which knows what is allowed. Memory is bounded by the bytes that are read, and by
 * {@link MOST_OBJECTS}.
 *
 * @param start - byte to begin at
 * @returns The value and the byte after the pickle.
 * @throws {PickleError} and what `world` throws.
 * @see https://github.com/python/cpython/blob/3.11/Lib/pickletools.py for the ops
 */
export function readPickle(bytes: Buffer, start: number, world: PickleWorld): { value: Value; end: number } {
  let at = start;
  let stack: Value[] = [];
  const marks: Value[][] = [];
  const memo = new Map<number, Value>();
  let objects = 0;

  const spend = (count: number): void => {
    objects += count;
    if (objects > MOST_OBJECTS) throw new PickleError(`it makes more than ${MOST_OBJECTS} objects`);
  };
  const take = (length: number): number => {
    if (length > bytes.length - at) throw new PickleError(`it ends at byte ${bytes.length}`);
    at += length;
    return at - length;
  };
  const byte = (): number => bytes[take(1)]!;
  const word = (): number => bytes.readUInt32LE(take(4));
  const long = (): number => {
    const length = bytes.readBigUInt64LE(take(8));
    if (length > BigInt(bytes.length)) throw new PickleError(`a text of ${length} bytes does not fit`);
    return Number(length);
  };
  const text = (length: number): string => {
    const from = take(length);
    return bytes.toString('utf8', from, from + length);
  };
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleError('a name has no end');
    const from = at;
    at = end + 1;
    return bytes.toString('latin1', from, end);
  };
  const pop = (): Value => {
    const value = stack.pop();
    if (value === undefined) throw new PickleError(`nothing is left for the op at byte ${at - 1}`);
    return value;
  };
  const top = (): Value => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const sinceMark = (): Value[] => {
    const before = marks.pop();
    if (!before) throw new PickleError(`there is no mark for the op at byte ${at - 1}`);
    const since = stack;
    stack = before;
    return since;
  };
  const several = (count: number): Value[] => {
    const values: Value[] = [];
    for (let i = 0; i < count; i++) values.unshift(pop());
    return values;
  };
  const recall = (key: number): Value => {
    const value = memo.get(key);
    if (value === undefined) throw new PickleError(`nothing was kept as ${key}`);
    return value;
  };
  const set = (pairs: readonly Value[]): void => {
    const target = top();
    if (!(target instanceof Map)) throw new PickleError('items are set of what is no dict');
    if (pairs.length % 2 === 1) throw new PickleError('a key has no value');
    for (let i = 0; i < pairs.length; i += 2) target.set(pairs[i]!, pairs[i + 1]!);
  };
  const append = (values: readonly Value[]): void => {
    const target = top();
    if (!Array.isArray(target)) throw new PickleError('items are appended to what is no list');
    for (const value of values) target.push(value);
  };
  const tuple = (args: Value): readonly Value[] => {
    if (!Array.isArray(args)) throw new PickleError('arguments are no tuple');
    return args;
  };
  const name = (value: Value): string => {
    if (typeof value !== 'string') throw new PickleError('a name is no text');
    return value;
  };
  const call = (): Value => {
    const args = tuple(pop());
    // What is called may take as many steps, and make as many items.
    for (const arg of args) if (Array.isArray(arg)) spend(arg.length);
    return world.call(pop(), args);
  };

  const ops: Readonly<Record<number, () => void>> = {
    128: () => {
      const protocol = byte();
      if (protocol < 2 || protocol > 5) throw new PickleError(`its protocol is ${protocol}, and 2 to 5 are read`);
    },
    149: () => void take(8), // FRAME
    40: () => {
      marks.push(stack); // MARK
      stack = [];
    },
    48: () => void pop(), // POP
    78: () => stack.push(null), // NONE
    136: () => stack.push(true), // NEWTRUE
    137: () => stack.push(false), // NEWFALSE
    75: () => stack.push(byte()), // BININT1
    77: () => stack.push(bytes.readUInt16LE(take(2))), // BININT2
    74: () => stack.push(bytes.readInt32LE(take(4))), // BININT
    138: () => stack.push(integer(bytes, take, byte())), // LONG1
    71: () => stack.push(bytes.readDoubleBE(take(8))), // BINFLOAT
    88: () => stack.push(text(word())), // BINUNICODE
    140: () => stack.push(text(byte())), // SHORT_BINUNICODE
    141: () => stack.push(text(long())), // BINUNICODE8
    85: () => stack.push(text(byte())), // SHORT_BINSTRING
    84: () => stack.push(text(word())), // BINSTRING
    93: () => stack.push([]), // EMPTY_LIST
    41: () => stack.push([]), // EMPTY_TUPLE
    125: () => stack.push(new Map()), // EMPTY_DICT
    116: () => {
      const values = sinceMark(); // TUPLE
      stack.push(values);
    },
    133: () => stack.push(several(1)), // TUPLE1
    134: () => stack.push(several(2)), // TUPLE2
    135: () => stack.push(several(3)), // TUPLE3
    97: () => append([pop()]), // APPEND
    101: () => append(sinceMark()), // APPENDS
    115: () => set(several(2)), // SETITEM
    117: () => set(sinceMark()), // SETITEMS
    113: () => void memo.set(byte(), top()), // BINPUT
    114: () => void memo.set(word(), top()), // LONG_BINPUT
    148: () => void memo.set(memo.size, top()), // MEMOIZE
    104: () => stack.push(recall(byte())), // BINGET
    106: () => stack.push(recall(word())), // LONG_BINGET
    99: () => stack.push(world.global(line(), line())), // GLOBAL
    147: () => {
      const [module, of] = several(2).map(name); // STACK_GLOBAL
      stack.push(world.global(module!, of!));
    },
    82: () => stack.push(call()), // REDUCE
    129: () => stack.push(call()), // NEWOBJ
    98: () => {
      const state = pop(); // BUILD
      world.build(top(), state);
    },
    81: () => stack.push(world.persistent(pop())), // BINPERSID
  };

  for (;;) {
    spend(1);
    const op = byte();
    if (op === 0x2e) {
      const value = pop(); // STOP
      return { value, end: at };
    }
    const run = ops[op];
    if (!run) throw new PickleError(`it has the op 0x${op.toString(16)} at byte ${at - 1}, which is not read`);
    run();
  }
}

/** A little-endian two's complement integer; a number where it fits one. */
function integer(bytes: Buffer, take: (length: number) => number, length: number): number | bigint {
  const from = take(length);
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i]!);
  const signed = length > 0 && bytes[from + length - 1]! >= 0x80 ? value - (1n << BigInt(8 * length)) : value;
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}
