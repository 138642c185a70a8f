import { TailmixError } from '../errors.ts';
import { heldBy, type Plugin } from '../plugin.ts';

/**
 * Refuses held plugins that could not run: each provides what its holder provides and nothing else, requires nothing of
 * its own, and has a name that no other plugin of the run has.
 *
 * @throws {TailmixError} PLUGIN_NOT_HELD, PLUGIN_TWICE.
 */
export function checkHeld(plugins: readonly Plugin[]): void {
  const names = new Set(plugins.map(({ definition }) => definition.name));
  const check = (holder: Plugin): void => {
    for (const { plugin } of heldBy(holder)) {
      const { name, provides = [], requires = [] } = plugin.definition;
      const offered = holder.definition.provides ?? [];
      if (names.has(name)) throw heldTwice(holder.definition.name, name);
      names.add(name);
      if (provides.length === 0 || !provides.every((capability) => offered.includes(capability)) || requires.length > 0)
        throw notHeld(holder.definition.name, offered, name, provides, requires);
      if (plugin.definition.extendModel) throw heldExtends(holder.definition.name, name);
      check(plugin);
    }
  };
  plugins.forEach(check);
}

const inWords = (capabilities: readonly string[]): string =>
  capabilities.length === 0 ? 'nothing' : capabilities.map((capability) => `"${capability}"`).join(' and ');

export const notHeld = (
  holder: string,
  offered: readonly string[],
  name: string,
  provides: readonly string[],
  requires: readonly string[],
): TailmixError =>
  new TailmixError(
    `[${holder}] holds ${name}: expected a plugin that provides ${inWords(offered)} and requires nothing; ${name} provides ${inWords(
      provides,
    )} and requires ${inWords(requires)}.\n  Make it an entry of the run.`,
    { code: 'PLUGIN_NOT_HELD', kind: 'config', plugin: name },
  );

export const heldTwice = (holder: string, name: string): TailmixError =>
  new TailmixError(`[${holder}] holds ${name}, and a run has one of each. Remove one.`, {
    code: 'PLUGIN_TWICE',
    kind: 'config',
    plugin: name,
  });

export const heldExtends = (holder: string, name: string): TailmixError =>
  new TailmixError(
    `[${holder}] holds ${name}: expected a plugin that leaves the model as it is; ${name} adds weights to it.\n  Make it an entry of the run.`,
    { code: 'PLUGIN_NOT_HELD', kind: 'config', plugin: name },
  );
