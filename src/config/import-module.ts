import { messageOf } from '../errors.ts';
import type { PluginRegistry } from './types.ts';

/**
 * Imports a user's script, TypeScript or JavaScript. In it `tailmix` and `tailmix/plugins/NAME` are the running
 * copies, wherever the script lies and whether or not tailmix is installed there.
 *
 * @param specifier - a path or a package, as seen from `parent`.
 * @returns its default export; without `default` where it has none.
 */
export async function importModule(
  specifier: string,
  parent: string,
  registry: PluginRegistry,
): Promise<{ default?: unknown }> {
  const { createJiti } = await import('jiti');
  const plugins = await Promise.all(
    Object.entries(registry).map(async ([name, load]) => [`tailmix/plugins/${name}`, await load()] as const),
  );
  const jiti = createJiti(parent, {
    virtualModules: {
      tailmix: await import('tailmix'),
      'tailmix/graph': await import('tailmix/graph'),
      'tailmix/mlflow': await import('tailmix/mlflow'),
      'tailmix/predict': await import('tailmix/predict'),
      'tailmix/tracking': await import('tailmix/tracking'),
      ...Object.fromEntries(plugins),
    },
  });
  const module = await jiti.import<{ default?: unknown }>(specifier);
  // jiti answers `module.default` with the whole module where there is none.
  return 'default' in module ? { default: module.default } : {};
}

/** Why a script did not load, without the chain of files that Node adds for a missing module. */
export const reasonOf = (error: unknown): string => messageOf(error).replace(/\nRequire stack:[\s\S]*/, '');

/** Where a package would be loaded from, as seen from `parent`; null where it is not installed. */
export async function resolvePackage(specifier: string, parent: string): Promise<string | null> {
  const { createJiti } = await import('jiti');
  return createJiti(parent).esmResolve(specifier, { try: true }) ?? null;
}
