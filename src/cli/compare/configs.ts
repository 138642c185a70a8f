import type { ResolvedConfig } from '../../config/types.ts';
import type { Capability, Plugin } from '../../plugin.ts';
import type { Candidate, Entry } from './candidates.ts';

/** What a remedy provides; schedules, averaging, observers and the like stay as they are in every method. */
const REMEDIES: ReadonlySet<Capability> = new Set(['mix', 'relabel', 'sampler', 'loss', 'smooth', 'head', 'branches']);

const isRemedy = ({ definition, options }: Plugin): boolean =>
  definition.provides?.some((capability) => REMEDIES.has(capability)) === true ||
  (definition.corrects?.(options) ?? null) !== null;

/** Configs of the methods to compare: those of the candidates, and the config's own where it is another. */
export function methodConfigs(
  config: ResolvedConfig,
  candidates: readonly Candidate[],
): (Candidate & { config: Record<string, unknown> })[] {
  const { resolved, plugins } = config;
  const { model, ...rest } = resolved as { model: Record<string, unknown> };
  const entries = (resolved.plugins as Entry[]).filter(({ enabled }) => enabled !== false);
  const kept = entries.filter((_, i) => !isRemedy(plugins[i]!));
  const own = entries.filter((_, i) => isRemedy(plugins[i]!));
  const names = (list: readonly Entry[]): string =>
    list
      .map(({ use }) => use)
      .sort()
      .join();
  const isThere = candidates.some((candidate) => names(candidate.plugins) === names(own));
  // A classifier that a remedy asks for is that remedy's.
  const needsCosine = plugins.some((plugin) => isRemedy(plugin) && plugin.definition.head === 'cosine');
  const plain = needsCosine ? { ...model, head: 'linear', scale: 1 } : model;
  return [
    ...candidates.map((candidate) => ({
      ...candidate,
      config: {
        ...rest,
        name: candidate.file,
        method: candidate.method,
        model: plain,
        plugins: [...candidate.plugins, ...kept],
      },
    })),
    ...(isThere
      ? []
      : [
          {
            method: 'As configured',
            file: 'as-configured',
            plugins: own,
            config: { ...rest, name: 'as-configured', method: 'As configured', model, plugins: entries },
          },
        ]),
  ];
}
