import type { NamedTensors } from '../tf.ts';

/** A name that was read and does not exist. */
export interface Miss {
  /** What was read, as `weight`. */
  kind: string;
  name: string;
  known: readonly string[];
}

let last: Miss | undefined;

/** The last miss so far, with another in its place. */
export function swapMiss(next: Miss | undefined): Miss | undefined {
  const before = last;
  last = next;
  return before;
}

/**
 * Tensors by name that note which name was read and is not there. Reading it is no fault: a classifier may have no bias.
 * What fails for want of it names it.
 */
export const watched = (kind: string, tensors: NamedTensors): NamedTensors =>
  new Proxy(tensors, {
    get(target, name, receiver) {
      const found: unknown = Reflect.get(target, name, receiver);
      if (found === undefined && typeof name === 'string') last = { kind, name, known: Object.keys(target) };
      return found;
    },
  });
