import { defaults, registry } from '../../plugins/index.ts';
import { nameOf } from '../config/entries.ts';
import { configInvalid } from '../config/errors.ts';
import type { Override } from '../config/overrides.ts';
import { problemOfPlace } from '../config/places.ts';
import type { ConfigContext } from '../config/resolve.ts';
import type { PluginDefinition } from '../plugin.ts';

/** Flags that stand for a place in the config. */
export interface ConfigFlags {
  set?: string[];
  seed?: string;
  name?: string;
  backend?: string;
  device?: string;
  dataRoot?: string;
  full?: boolean;
}

/** The plugins that the command line knows. */
export const context: Required<Omit<ConfigContext, 'run'>> = { registry, defaults };

/** Plugins that only observe: they and their options change no figures. */
export const observers: ReadonlySet<string> = new Set(defaults.flatMap((entry) => nameOf(entry) ?? []));

/** Flags as overrides that messages name by their flag. */
export function overridesOf({ seed, name, backend, device, dataRoot, full }: ConfigFlags): Override[] {
  const flags: [flag: string, path: string[], value: unknown][] = [
    ['--seed', ['seed'], seed === undefined || Number.isNaN(Number(seed)) ? seed : Number(seed)],
    ['--name', ['name'], name],
    ['--backend', ['backend'], backend],
    ['--device', ['train', 'device'], device],
    ['--data-root', ['data', 'root'], dataRoot],
  ];
  return [
    ...flags
      .filter(([, , value]) => value !== undefined)
      .map(([flag, path, value]) => ({ label: `${flag} ${value}`, path, value })),
    ...(full ? [{ label: '--full', path: ['plugins', 'checkpoint', 'full'], value: true }] : []),
  ];
}

/** Definitions of all built-in plugins, to be named in messages. */
export const knownPlugins = (): Promise<PluginDefinition[]> =>
  Promise.all(
    Object.values(registry).map(async (load) => (await load()).default.definition as unknown as PluginDefinition),
  );

/**
 * Refuses a place that is empty, or that only a shell would understand.
 *
 * @throws {TailmixError} CONFIG_INVALID
 */
export function checkPlace(flag: string, place: string | undefined): void {
  if (place === undefined) return;
  const message = place.trim() === '' ? 'expected a folder, got an empty text.' : problemOfPlace(place);
  if (message !== null) throw configInvalid([{ where: flag, path: '', message }]);
}
