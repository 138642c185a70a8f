import { spansRun } from '../compose/span.ts';
import type { HookName } from '../hooks.ts';
import type { BatchResult } from '../step/types.ts';
import type { Fit } from './fit.ts';

/** What hooks decide between two steps. */
const DECIDES: readonly HookName[] = ['onBatch', 'computeTargets', 'computeLearningRate'];

/**
 * Whether a step may be started before the result of the one before it is there: the engine can, and whoever sees results
 * (`onBatchEnd`) spans the run, as what only observes does, and decides nothing for the next step. Another plugin may ask for the
 * state there, which would be that of a step later.
 */
export function canRunAhead({
  engine,
  composition: { timings, plugins },
  options,
}: {
  engine: Pick<Fit['engine'], 'start'>;
  composition: Pick<Fit['composition'], 'timings' | 'plugins'>;
  options: Pick<Fit['options'], 'link'>;
}): boolean {
  if (!engine.start || options.link) return false;
  const watchers = new Set(timings.filter(({ hook }) => hook === 'onBatchEnd').map(({ plugin }) => plugin));
  if (!plugins.every((plugin) => spansRun(plugin) || !watchers.has(plugin.definition.name))) return false;
  return !timings.some(({ plugin, hook }) => watchers.has(plugin) && DECIDES.includes(hook));
}

/**
 * Results of steps in their order: where steps run ahead, that of a step is read while the next one is computed.
 *
 * @param take - is given each result once; what is wrong with a step is thrown when it is read.
 */
export function readResults(fit: Parameters<typeof canRunAhead>[0], take: (result: BatchResult) => void) {
  const ahead = canRunAhead(fit);
  let unread: (() => BatchResult) | null = null;
  const flush = (): void => {
    const finish = unread;
    unread = null;
    if (finish) take(finish());
  };
  return {
    /** A step that was started. */
    add(finish: () => BatchResult): void {
      flush();
      unread = finish;
      if (!ahead) flush();
    },
    /** Reads what is left: afterwards the host knows all that the engine computed. */
    flush,
  };
}
