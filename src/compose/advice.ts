import { type Capability, heldBy, type Plugin } from '../plugin.ts';
import type { RunInfo } from '../run.ts';
import { declaredConflicts } from './declared.ts';
import type { Composition, Warning } from './types.ts';

type Provides = Composition['provides'];

/** A warning for each capability that another plugin provides and that makes no sense in addition to this one. */
export const conflicting = (plugins: readonly Plugin[], provides: Provides): Warning[] =>
  plugins.flatMap((plugin) =>
    Object.entries(conflictsOf(plugin)).flatMap(([capability, reason]): Warning[] => {
      const other = provides[capability as Capability];
      const { name } = plugin.definition;
      if (other === undefined || other === name) return [];
      return [{ code: 'NOT_INTENDED', plugin: name, message: `with ${other}: ${reason}` }];
    }),
  );

/** Of a plugin that holds others: what conflicts with all of them, since one that does not is a reason to have the other. */
function conflictsOf(plugin: Plugin): Partial<Record<Capability, string>> {
  const own = declaredConflicts(plugin);
  const [first, ...others] = heldBy(plugin).map((held) => conflictsOf(held.plugin));
  const shared = Object.entries(first ?? {}).filter(([capability]) => others.every((other) => capability in other));
  return { ...Object.fromEntries(shared), ...own };
}

/** A warning where logits are bare cosines, and no plugin says that it scales them. */
export function bareCosines(plugins: readonly Plugin[], { head, classes }: RunInfo, provides: Provides): Warning[] {
  if (head?.kind !== 'cosine' || head.scale !== 1 || provides.head !== undefined) return [];
  if (plugins.some(({ definition }) => definition.head === 'cosine')) return [];
  const highest = Math.E / (Math.E + (classes.length - 1) / Math.E);
  const message =
    `head is cosine and scale 1: logits lie between -1 and 1, so that no class ever gets more than ${(100 * highest).toPrecision(2)}% ` +
    'of the probability, and little is learnt. Set model.scale to 16 or more, or use a loss that scales the cosines.';
  return [{ code: 'NOT_INTENDED', plugin: 'model', message }];
}
