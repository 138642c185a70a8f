import { createHash } from 'node:crypto';
import type { Snapshot } from '../run.ts';
import { sizeOf } from '../util/shape.ts';
import { processesDiffer, statesDiffer } from './errors.ts';
import type { Link } from './link.ts';
import { named } from './membership.ts';

type Sums = Pick<Link, 'rank' | 'processes' | 'sum'>;

/** A link whose sums wait for processes that read data or write checkpoints. */
export const patient = <T extends Pick<Link, 'wait'>>(link: T): T & Pick<Link, 'sum'> => ({ ...link, sum: link.wait });

/** What each process gives, by rank: as many numbers from each. */
export function gather({ rank, processes, sum }: Sums, own: Int32Array): Int32Array[] {
  const all = new Int32Array(processes * own.length);
  all.set(own, rank * own.length);
  const summed = sum(all);
  return Array.from({ length: processes }, (_, peer) => summed.subarray(peer * own.length, (peer + 1) * own.length));
}

/** A text of each process, by rank. */
export function gatherTexts(link: Sums, own: string): string[] {
  const bytes = Buffer.from(own);
  const lengths = gather(link, Int32Array.of(bytes.length)).map(([length]) => length!);
  const words = new Int32Array(Math.ceil(Math.max(...lengths) / 4));
  new Uint8Array(words.buffer).set(bytes);
  return gather(link, words).map((given, peer) => {
    const slice = given.slice();
    return Buffer.from(slice.buffer, 0, lengths[peer]).toString();
  });
}

/**
 * Compares what processes of one run have in common.
 *
 * @param facts - by name, as messages show it
 * @throws {TailmixError} CLUSTER_DIFFERS, in all processes alike
 */
export function expectAlike(link: Sums & Pick<Link, 'addresses'>, facts: Readonly<Record<string, string>>): void {
  const all = gatherTexts(link, JSON.stringify(facts)).map((text) => JSON.parse(text) as Record<string, string>);
  const first = all[0]!;
  for (const [rank, theirs] of all.entries()) {
    const names = [...new Set([...Object.keys(first), ...Object.keys(theirs)])];
    const what = names.find((name) => theirs[name] !== first[name]);
    if (what === undefined) continue;
    const side = (of: number, value: string | undefined): [string, string] => [named(link, of), value ?? 'none'];
    throw processesDiffer(what, side(0, first[what]), side(rank, theirs[what]));
  }
}

/**
 * Compares the state of all processes.
 *
 * @throws {TailmixError} CLUSTER_STATE with the first tensor that differs, in all processes alike
 */
export function expectSameState(
  link: Sums & Pick<Link, 'addresses'>,
  state: Readonly<Record<string, Float32Array>>,
  epoch: number,
): void {
  const names = Object.keys(state);
  const own = Int32Array.from(
    names.flatMap((name) => {
      const values = state[name]!;
      const digest = createHash('sha256')
        .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
        .digest();
      return [digest.readInt32LE(0), digest.readInt32LE(4)];
    }),
  );
  const all = gather(link, own);
  for (const [i, name] of names.entries()) {
    const other = all.findIndex(
      (theirs) => theirs[2 * i] !== all[0]![2 * i] || theirs[2 * i + 1] !== all[0]![2 * i + 1],
    );
    if (other > 0) throw statesDiffer(epoch, name, named(link, 0), named(link, other));
  }
}

/** What rank 0 resumes from, for all; null where it begins anew. Ranks other than 0 need no checkpoint. */
export function shareSnapshot(link: Sums, own: Snapshot | null): Snapshot | null {
  const { state, ...rest }: Partial<Snapshot> & Pick<Snapshot, 'state'> = own ?? { state: {} };
  const shapes = Object.entries(state).map(([name, { shape }]) => ({ name, shape }));
  const [text] = gatherTexts(link, link.rank === 0 && own !== null ? JSON.stringify({ ...rest, shapes }) : '');
  if (text === '') return null;
  const { shapes: all, ...described } = JSON.parse(text!) as Omit<Snapshot, 'state'> & { shapes: typeof shapes };
  return {
    ...described,
    state: Object.fromEntries(
      all.map(({ name, shape }) => {
        const length = sizeOf(shape);
        const values = link.rank === 0 ? state[name]!.values : new Float32Array(length);
        const bits = link.sum(new Int32Array(values.buffer, values.byteOffset, length));
        return [name, { shape, values: new Float32Array(bits.buffer) }];
      }),
    ),
  };
}
