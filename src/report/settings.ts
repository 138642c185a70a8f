/** A configuration as flat keys with printed values, in order: `plugins.remix.kappa` → `3`. */
export type Settings = ReadonlyMap<string, string>;

/**
 * Flattens a resolved configuration. A list of plugin entries becomes its names in order, and a key for each option of
 * each entry; of a list of other maps (phases), each goes by its place; any other list is one value.
 */
export function flattenConfig(config: unknown): Settings {
  const settings = new Map<string, string>();
  flatten('', config, settings);
  return settings;
}

function flatten(key: string, value: unknown, into: Map<string, string>): void {
  if (Array.isArray(value) && value.length > 0 && value.every(isEntry)) {
    into.set(key, value.map(({ use }) => use).join(', '));
    const seen = new Map<string, number>();
    for (const { use, ...options } of value) {
      const times = (seen.get(use) ?? 0) + 1;
      seen.set(use, times);
      flatten(`${key}.${use}${times > 1 ? `#${times}` : ''}`, options, into);
    }
  } else if (Array.isArray(value) && value.length > 0 && value.every(isMap)) {
    for (const [place, item] of value.entries()) flatten(`${key}[${place}]`, item, into);
  } else if (isMap(value)) {
    for (const [name, inner] of Object.entries(value)) flatten(key === '' ? name : `${key}.${name}`, inner, into);
  } else if (key !== '') {
    into.set(key, Array.isArray(value) && value.length === 0 ? 'none' : printed(value));
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
