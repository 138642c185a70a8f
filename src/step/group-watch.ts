import { groupUnread } from './errors.ts';
import type { RowRanges } from './types.ts';

/** Notes which groups of rows the functions of a step look up, so that none is loaded and left out in silence. */
export function createGroupWatch(): {
  of(ranges: RowRanges): RowRanges;
  /** @throws {TailmixError} RETURNED_WRONG for the first of these groups that was never looked up. */
  check(names: readonly string[]): void;
} {
  const seen = new Set<string>();
  return {
    of: (ranges) =>
      new Proxy(ranges, {
        get(target, name, receiver) {
          if (typeof name === 'string') seen.add(name);
          return Reflect.get(target, name, receiver);
        },
      }),
    check(names) {
      const unread = names.find((name) => !seen.has(name));
      if (unread !== undefined) throw groupUnread(unread);
    },
  };
}
