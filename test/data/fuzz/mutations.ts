import fc from 'fast-check';

/** One thing that happens to bytes on their way. Places are fractions of the length. */
type Mutation =
  | { kind: 'truncate'; at: number }
  | { kind: 'flip'; at: number; bit: number }
  | { kind: 'set'; at: number; bytes: number[] }
  | { kind: 'cut'; at: number; length: number }
  | { kind: 'insert'; at: number; bytes: number[] }
  | { kind: 'repeat'; at: number; length: number };

const at = fc.double({ min: 0, max: 1, noNaN: true });
/** Values at which lengths and counts go wrong. */
const telling = fc.constantFrom<number[]>(
  [0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0, 0, 0],
  [0],
);
const bytes = fc.oneof(telling, fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }));
const length = fc.integer({ min: 1, max: 600 });

/** Between one and three mutations, most of them bit flips and truncations. */
export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('truncate' as const), at }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), at, bytes }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), at, length }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('insert' as const), at, bytes }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat' as const), at, length }) },
  ),
  { minLength: 1, maxLength: 3 },
);

/** Bytes after what happened to them. */
export function mutate(whole: Uint8Array, changes: readonly Mutation[]): Buffer {
  let now = Buffer.from(whole);
  for (const change of changes) {
    const place = Math.min(now.length, Math.floor(change.at * (now.length + 1)));
    const [head, tail] = [now.subarray(0, place), now.subarray(place)];
    if (change.kind === 'truncate') now = Buffer.from(head);
    else if (change.kind === 'cut') now = Buffer.concat([head, tail.subarray(change.length)]);
    else if (change.kind === 'insert') now = Buffer.concat([head, Buffer.from(change.bytes), tail]);
    else if (change.kind === 'repeat') now = Buffer.concat([head, tail.subarray(0, change.length), tail]);
    else if (change.kind === 'set')
      now = Buffer.concat([head, Buffer.from(change.bytes), tail.subarray(change.bytes.length)]);
    else if (place < now.length) now[place]! ^= 1 << change.bit;
  }
  return now;
}
