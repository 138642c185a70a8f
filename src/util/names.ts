import { suggest } from './suggest.ts';

const SHOWN = 8;

/** For messages: `perhaps "x"`, or the names there are. */
export function nearest(name: string, known: readonly string[]): string {
  const near = suggest(name, known);
  if (near !== null) return `perhaps ${JSON.stringify(near)}`;
  if (known.length === 0) return 'of which there is none';
  const more = known.length > SHOWN ? ` and ${known.length - SHOWN} more` : '';
  return `here ${known.slice(0, SHOWN).join(', ')}${more}`;
}

/** Read by runtimes and by `await` of anything. */
const ALWAYS = new Set(['then', 'toJSON', 'constructor', 'toString', 'valueOf']);

/**
 * The record, from which a name that it does not have cannot be read. `name in record` can be asked.
 *
 * @param unknown - makes the error
 * @param absent - names that exist elsewhere: they read as undefined
 */
export const onlyKnown = <T extends object>(
  record: T,
  unknown: (name: string) => Error,
  absent: ReadonlySet<string> = new Set(),
): T =>
  new Proxy(record, {
    get(target, name, receiver) {
      if (typeof name === 'string' && !(name in target) && !absent.has(name) && !ALWAYS.has(name)) throw unknown(name);
      return Reflect.get(target, name, receiver);
    },
  });
