import { definePlugin, Order, PROGRESS_VARIABLE, type Run, z } from 'tailmix';
import { barReporter } from './bars.ts';
import { ipcReporter } from './ipc.ts';
import { lineReporter } from './lines.ts';
import type { Reporter } from './reporter.ts';

const name = 'progress';

const style = z.enum(['auto', 'lines', 'none']);

const options = z.strictObject({
  style: style
    .default('auto')
    .describe('`auto`: bars on a terminal, elsewhere a line per epoch (`lines`). Goes to stderr.'),
});

/**
 * How progress is shown: as the parent process asks, else as the option says.
 *
 * @param asked - value of the variable `TAILMIX_PROGRESS`, which may also name a style
 */
export function progressStyle(
  option: z.output<typeof style>,
  { asked, hasChannel, isTerminal }: { asked: string | undefined; hasChannel: boolean; isTerminal: boolean },
): 'ipc' | 'bars' | 'lines' | 'none' {
  if (asked === 'ipc' && hasChannel) return 'ipc';
  const wanted = style.safeParse(asked).data ?? option;
  if (wanted === 'auto') return isTerminal ? 'bars' : 'lines';
  return wanted;
}

/** What the engine does differently than requested, and why; a line each. */
export const engineNotes = ({ mode, reason, precision, precisionReason }: Run['engine']): string[] => [
  ...(reason === null ? [] : [`the step is ${mode}: ${reason}`]),
  ...(precisionReason === null ? [] : [`the step computes in ${precision}: ${precisionReason}`]),
];

/**
 * Progress: bars for run and epoch on a terminal, a line per epoch elsewhere, or messages to a parent process. Runs by
 * default.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [progress({ style: 'lines' })] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: progress
 *     style: lines
 * ```
 */
export default definePlugin({
  name,
  options,
  spans: 'run',
  apply({ hooks, info }, options) {
    const shown = progressStyle(options.style, {
      asked: process.env[PROGRESS_VARIABLE],
      hasChannel: process.connected,
      isTerminal: process.stderr.isTTY,
    });
    const reporters: Record<typeof shown, () => Reporter | null> = {
      ipc: () => ipcReporter(info, (message) => process.connected && process.send?.(message, () => {})),
      bars: () => barReporter(info, process.stderr),
      lines: () => lineReporter(info, (line) => process.stderr.write(`${line}\n`)),
      none: () => null,
    };
    const reporter = reporters[shown]();
    if (!reporter) return;
    const tap = { name, stage: Order.Observe };
    let images = 0;
    let since = 0;
    hooks.onTrainBegin.tapPromise(tap, async ({ engine, resumedFrom, subset }) => {
      const notes = [...engineNotes(engine), ...(info.dataNotes ?? []), ...skippedNotes(subset.skipped)];
      if (shown !== 'ipc') for (const note of notes) process.stderr.write(`${note}\n`);
      reporter.begin(resumedFrom);
    });
    hooks.onEpochBegin.tapPromise(tap, async () => {
      images = 0;
      since = performance.now();
    });
    hooks.onBatchEnd.tap(tap, (result) => {
      images += result.batch.size;
      reporter.step(result, (1000 * images) / (performance.now() - since));
    });
    hooks.onEpochEnd.tapPromise(tap, async (metrics) => reporter.epoch(metrics));
    hooks.onTrainEnd.tapPromise(tap, async () => reporter.end());
    hooks.onError.tapPromise(tap, async () => reporter.end());
  },
});

const skippedNotes = (count: number): string[] =>
  count === 0
    ? []
    : [`${count} unreadable image${count === 1 ? ' was' : 's were'} left out (tailmix data info lists them)`];
