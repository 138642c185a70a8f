/** A configuration as flat keys with printed values, in order: `plugins.remix.kappa` → `3`. */
export type Settings = ReadonlyMap<string, string>;

/**
 * Flattens a resolved configuration. A list of plugin entries becomes its names in order, and a key for each option of
 * each entry, without those that are switched off; of a list of other maps (phases), each goes by its place; any other
 * list is one value.
 *
 * @param observers - plugins that only observe, which are left out
 */
export function flattenConfig(config: unknown, observers: ReadonlySet<string> = new Set()): Settings {
  const settings = new Map<string, string>();
  flatten('', config, { settings, observers });
  return settings;
}

interface Flat {
  settings: Map<string, string>;
  observers: ReadonlySet<string>;
}

function flatten(key: string, value: unknown, into: Flat): void {
  if (Array.isArray(value) && value.length > 0 && value.every(isEntry)) {
    const used = value.filter(({ use, enabled }) => enabled !== false && !into.observers.has(use));
    into.settings.set(key, used.map(({ use }) => use).join(', ') || 'none');
    const seen = new Map<string, number>();
    for (const { use, enabled: _, ...options } of used) {
      const times = (seen.get(use) ?? 0) + 1;
      seen.set(use, times);
      flatten(`${key}.${use}${times > 1 ? `#${times}` : ''}`, options, into);
    }
  } else if (Array.isArray(value) && value.length > 0 && value.every(isMap)) {
    for (const [place, item] of value.entries()) flatten(`${key}[${place}]`, item, into);
  } else if (isMap(value)) {
    for (const [name, inner] of Object.entries(value)) flatten(key === '' ? name : `${key}.${name}`, inner, into);
  } else if (key !== '') {
    into.settings.set(key, Array.isArray(value) && value.length === 0 ? 'none' : printed(value));
  }
}

const printed = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isEntry = (value: unknown): value is { use: string } & Record<string, unknown> =>
  isMap(value) && typeof value.use === 'string';

const labels = /^(\$schema|extends|name|method|out)$/;
const seeds = /(^|\.)(seed|\w*Seed)$/;
const placesAndSpeed = /^(backend|data\.root|data\.workers|train\.step|evaluate\.batchSize)$/;

/** Whether a key says what a method is: names, seeds, places and what is only for speed do not. */
const isOfMethod = (key: string): boolean => !(labels.test(key) || seeds.test(key) || placesAndSpeed.test(key));

/** Identifies a method by its settings: runs that differ in seeds and places only have the same. */
export const fingerprint = (settings: Settings): string =>
  JSON.stringify([...settings].filter(([key]) => isOfMethod(key)).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Keys in which the settings differ, seeds and places left aside, in the order in which they first occur. */
export function differingKeys(all: readonly Settings[]): string[] {
  const keys = new Set(all.flatMap((settings) => [...settings.keys()]));
  return [...keys].filter((key) => isOfMethod(key) && new Set(all.map((settings) => settings.get(key))).size > 1);
}

/**
 * What tells some settings from each other, in words for each of them: `kappa 3`. Where plugins differ, `drw on` and
 * `drw off`, and of the options of such a plugin those in which the runs that have it differ.
 */
export function differencesIn(all: readonly Settings[]): string[][] {
  const keys = differingKeys(all);
  const lists = new Map(keys.filter((key) => LIST.test(key)).map((key) => [key, switchedIn(all, key)]));
  const told = [...lists].flatMap(([key, names]) => names.map((name) => `${key}.${name}.`));
  const isTold = (key: string): boolean =>
    told.some((start) => key.startsWith(start)) &&
    new Set(all.flatMap((settings) => settings.get(key) ?? [])).size === 1;
  const telling = keys.filter((key) => !isTold(key));
  return all.map((settings) =>
    telling.flatMap((key) => {
      const switched = lists.get(key) ?? [];
      if (switched.length === 0) return [`${key.split('.').at(-1)} ${settings.get(key) ?? 'off'}`];
      const own = namesIn(settings, key);
      return switched.map((name) => `${name} ${own.includes(name) ? 'on' : 'off'}`);
    }),
  );
}

/** Keys of lists of plugins. */
const LIST = /(^|\.)plugins$/;

const namesIn = (settings: Settings, key: string): string[] => settings.get(key)?.split(', ') ?? [];

/** Plugins that some have and others do not. */
function switchedIn(all: readonly Settings[], key: string): string[] {
  const lists = all.map((settings) => namesIn(settings, key));
  return [...new Set(lists.flat())].filter((name) => name !== 'none' && !lists.every((own) => own.includes(name)));
}
