const FIELDS = [
  'stack',
  'message',
  'name',
  'cause',
  'toString',
  'code',
  'syscall',
  'plugin',
  'hook',
  Symbol.toPrimitive,
];

const refuse = (): never => {
  throw new Error('may not be read');
};

/** An error that throws when the given fields are read. */
const refusing = (error: Error, fields: readonly (string | symbol)[]): Error =>
  Object.defineProperties(error, Object.fromEntries(fields.map((field) => [field, { get: refuse }])));

const REFUSING = {
  get: refuse,
  has: refuse,
  getPrototypeOf: refuse,
  getOwnPropertyDescriptor: refuse,
  ownKeys: refuse,
};

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** What code of others may throw, and what messages say of it. */
export const thrownThings: readonly (readonly [string, () => unknown, string])[] = [
  [
    'an error that throws whatever is read of it',
    () => refusing(new Error('x'), FIELDS),
    'an error that cannot be read',
  ],
  ...['stack', 'cause', 'code', 'toString', Symbol.toPrimitive].map(
    (field) => [`an error whose ${String(field)} throws`, () => refusing(new Error('seen'), [field]), 'seen'] as const,
  ),
  ['an error whose message throws', () => refusing(new Error('x'), ['message']), 'an error that cannot be read'],
  ['an error whose name throws', () => refusing(new Error('x'), ['name']), 'an error that cannot be read'],
  [
    'an error whose message is no text',
    () => Object.assign(new Error('x'), { message: { toString: refuse } }),
    'an error that cannot be read',
  ],
  ['an error without a message', () => new RangeError(), 'RangeError without a message'],
  ['a frozen error', () => Object.freeze(new Error('frozen')), 'frozen'],
  ['a frozen object', () => Object.freeze({ a: 1 }), '{ a: 1 }'],
  ['an object without a prototype', () => Object.create(null), '[Object: null prototype] {}'],
  ['an object with a message', () => ({ message: 'from elsewhere' }), 'from elsewhere'],
  ['a Proxy that throws', () => new Proxy({}, REFUSING), 'an error that cannot be read'],
  ['a revoked Proxy', revoked, 'an error that cannot be read'],
  ['null', () => null, 'null'],
  ['undefined', () => undefined, 'undefined'],
  ['a symbol', () => Symbol('s'), 'Symbol(s)'],
  ['a function', () => () => 1, '[Function (anonymous)]'],
  ['a text', () => 'as it is', 'as it is'],
  ['a number', () => 3, '3'],
];
