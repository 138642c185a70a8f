import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  appendToFile,
  definePlugin,
  displayPath,
  type EpochMetrics,
  encodeLogits,
  type FileSeal,
  logitsFile,
  Order,
  type Run,
  type RunSummary,
  runFiles,
  sealedJson,
  sealOf,
  version,
  withoutConfusion,
  writeFileAtomic,
  z,
} from 'tailmix';
import { stringify } from 'yaml';

const name = 'tracking';

const options = z.strictObject({});

/** One line of `metrics.jsonl`, with its newline; without confusion matrices, which `summary.json` holds. */
export function metricsLine(metrics: EpochMetrics): string {
  const test = metrics.test && withoutConfusion(metrics.test);
  const validation = metrics.validation && withoutConfusion(metrics.validation);
  return `${JSON.stringify({ ...metrics, test, validation })}\n`;
}

/**
 * What `subset.json` says of the images: enough to tell whether two runs trained on the same ones, and to prepare others
 * as those were without having them.
 */
export const describeSubset = ({ info, subset, data }: Run): Record<string, unknown> => ({
  tailmix: version,
  dataset: info.dataset,
  seed: subset.seed,
  hash: subset.hash,
  images: { train: data.train, validation: data.validation, test: data.test },
  ...(data.otherData && { otherData: data.otherData }),
  skipped: subset.skipped,
  trainCount: info.trainCount,
  validationCount: info.validationCount,
  classCounts: info.classCounts,
  classes: info.classes,
  imageShape: info.imageShape,
  ...(info.packShape && { packShape: info.packShape }),
  ...(info.interpolation && { interpolation: info.interpolation }),
  mean: info.mean,
  std: info.std,
  ...(info.features && { features: info.features }),
});

/**
 * Tracking: records a run in its directory as plain files (config, plan, subset, a line of metrics per epoch, summary).
 * Runs by default.
 *
 * @example
 * ```ts
 * createTrainer({ data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [tracking()] });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: tracking
 * ```
 */
export default definePlugin({
  name,
  options,
  spans: 'run',
  apply({ hooks }) {
    const stage = Order.Observe;
    let lastEpoch = 0;
    hooks.onTrainBegin.tapPromise({ name, stage }, async (run) => {
      const { directory } = run;
      if (directory === null) return;
      await writeIfChanged(join(directory, runFiles.config), stringify(run.config));
      await writeIfChanged(join(directory, runFiles.plan), run.plan);
      await writeIfChanged(join(directory, runFiles.subset), sealedJson(describeSubset(run)));
      const path = join(directory, runFiles.metrics);
      const found = (await textOf(path)) ?? '';
      const lines = run.epochs.map(metricsLine).join('');
      // Epochs after the checkpoint will be trained again.
      if (!found.startsWith(lines)) tell(`${displayPath(path)}: was changed or cut; rebuilt from the checkpoint`);
      if (found !== lines) await writeFileAtomic(path, lines);
      lastEpoch = run.epochs.at(-1)?.epoch ?? 0;
    });
    hooks.onEpochEnd.tapPromise({ name, stage }, async (metrics, { directory, epochs }) => {
      if (directory === null) return;
      const path = join(directory, runFiles.metrics);
      // A run that has gone back trains epochs again.
      if (metrics.epoch <= lastEpoch) await writeFileAtomic(path, epochs.map(metricsLine).join(''));
      else await appendToFile(path, metricsLine(metrics));
      lastEpoch = metrics.epoch;
    });
    const writeSummary = async (summary: RunSummary, run: Run): Promise<void> => {
      const { directory, config, epochs } = run;
      if (directory === null) return;
      const logits = summary.status === 'failed' ? {} : await writeLogits(directory, run);
      const files = {
        [runFiles.config]: sealOf(stringify(config)),
        [runFiles.metrics]: sealOf(epochs.map(metricsLine).join('')),
        ...logits,
      };
      await writeFileAtomic(join(directory, runFiles.summary), sealedJson({ ...summary, files }));
    };
    hooks.onTrainEnd.tapPromise({ name, stage }, writeSummary);
    hooks.onError.tapPromise({ name, stage }, (_, run) => writeSummary(run.summary(), run));
  },
});

/** Writes the logits of the last evaluation, as far as they are kept; a file of an earlier end of the run goes. */
async function writeLogits(directory: string, { logits, epochs, evaluated }: Run): Promise<Record<string, FileSeal>> {
  const seals: Record<string, FileSeal> = {};
  for (const split of ['validation', 'test'] as const) {
    const file = logitsFile(split);
    const kept = logits[split];
    if (kept === null) {
      await rm(join(directory, file), { force: true });
      continue;
    }
    const epoch = epochs.findLast((metrics) => metrics[split] !== null)!.epoch;
    const content = encodeLogits(kept, { epoch, prior: logits.prior, images: evaluated[split]!.hash });
    await writeFileAtomic(join(directory, file), content);
    seals[file] = sealOf(content);
  }
  return seals;
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/** Null for a file that is not there, or cannot be read. */
const textOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);

/** A resumed run leaves what it finds as it was, times included. */
async function writeIfChanged(path: string, content: string): Promise<void> {
  if ((await textOf(path)) !== content) await writeFileAtomic(path, content);
}
