import { heldBy, isPlugin, type Plugin } from '../plugin.ts';
import { describeValue, fieldsOf } from '../util/fault.ts';
import { heldExtends, heldTwice, holdsNothing, notHeld } from './errors.ts';

/**
 * Refuses held plugins that could not run: each provides what its holder provides and nothing else, requires nothing of
 * its own, and has a name that no other plugin of the run has.
 *
 * @throws {TailmixError} PLUGIN_NOT_HELD, PLUGIN_TWICE.
 */
export function checkHeld(plugins: readonly Plugin[]): void {
  const names = new Set(plugins.map(({ definition }) => definition.name));
  const check = (holder: Plugin): void => {
    const { name: of, holds } = holder.definition;
    const items: unknown = holds === undefined ? [] : holder.options[holds];
    const isRight = Array.isArray(items) && items.every((item) => isPlugin(fieldsOf(item)?.plugin));
    if (!isRight) throw holdsNothing(of, holds!, describeValue(items));
    for (const { plugin } of heldBy(holder)) {
      const { name, provides = [], requires = [] } = plugin.definition;
      const offered = holder.definition.provides ?? [];
      if (names.has(name)) throw heldTwice(holder.definition.name, name);
      names.add(name);
      if (provides.length === 0 || !provides.every((capability) => offered.includes(capability)) || requires.length > 0)
        throw notHeld(holder.definition.name, offered, name, provides, requires);
      const part = (['prepare', 'extendModel', 'trains', 'initialWeights', 'adapt'] as const).find(
        (one) => plugin.definition[one],
      );
      if (part !== undefined) throw heldExtends(holder.definition.name, name, part);
      check(plugin);
    }
  };
  plugins.forEach(check);
}
