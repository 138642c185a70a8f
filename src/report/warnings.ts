import { describeGroups } from '../metrics/groups.ts';
import type { RunSummary } from '../metrics/types.ts';
import type { RunGroup } from './methods.ts';

/** What sets runs apart beside their method, so that a reader does not take it for the method's doing. */
export function warningsFor(groups: readonly RunGroup[]): string[] {
  const runs = groups.flatMap((group) => group.runs);
  const warnings: string[] = [];
  const warnIfMixed = (what: string, of: (summary: RunSummary & { last: { count: number } }) => string, so: string) => {
    const values = new Map<string, Set<string>>();
    for (const { label, runs } of groups) {
      for (const { summary } of runs) values.set(of(summary), (values.get(of(summary)) ?? new Set()).add(label));
    }
    if (values.size < 2) return;
    const parts = [...values].map(([value, labels]) => `${value} (${some([...labels])})`);
    warnings.push(`Different ${what}: ${some(parts, '; ')}. ${so}`);
  };

  warnIfMixed(
    'long tails',
    ({ classCounts }) =>
      `${sum(classCounts)} training images, ${Math.max(...classCounts)} to ${Math.min(...classCounts)}`,
    'These runs are not one experiment.',
  );
  const bySubsetSeed = new Map<number, Set<string>>();
  for (const { summary } of runs) {
    bySubsetSeed.set(summary.subsetSeed, (bySubsetSeed.get(summary.subsetSeed) ?? new Set()).add(imagesOf(summary)));
  }
  if ([...bySubsetSeed.values()].some((hashes) => hashes.size > 1)) {
    warnIfMixed(
      'training subsets',
      (summary) => imagesOf(summary).slice(0, 12),
      'Not all runs trained on the same images; differences below are partly those of the images.',
    );
  } else {
    warnIfMixed(
      'subset seeds',
      ({ subsetSeed }) => String(subsetSeed),
      'Results and their spread include the choice of training images.',
    );
  }
  warnIfMixed('lengths of training', ({ epochs }) => `${epochs} epochs`, 'More epochs are an advantage in themselves.');
  warnIfMixed('test sets', ({ last }) => `${last.count} images`, 'Results on different test sets are not comparable.');
  warnIfMixed(
    'test images',
    ({ images }) => images?.test.slice(0, 12) ?? 'not recorded',
    'Results on different test sets are not comparable.',
  );
  warnIfMixed(
    'rules for many, medium and few',
    ({ groups }) => describeGroups(groups),
    'These columns are not comparable.',
  );
  warnIfMixed(
    'engines',
    ({ backend, stepMode, precision, device }) => `${device ?? backend} ${stepMode} ${precision}`,
    'Times are not comparable, and results may differ by rounding.',
  );
  warnIfMixed('versions of tailmix', ({ tailmix }) => tailmix, 'A method may have changed between them.');

  const seeds = new Map<string, string[]>();
  for (const { label, runs } of groups) {
    const own = [...new Set(runs.map(({ summary }) => summary.seed))].join(', ');
    seeds.set(own, [...(seeds.get(own) ?? []), label]);
  }
  if (seeds.size > 1) {
    const parts = [...seeds].map(([own, labels]) => `${some(labels)}: ${own}`);
    warnings.push(
      `Different seeds (${some(parts, '; ')}). Means are over unlike seeds; paired differences use common ones.`,
    );
  }
  for (const { path, summary, notes } of runs) {
    for (const { by, data } of summary.otherData ?? []) {
      const what =
        by === 'resume'
          ? 'was resumed on other data than it had been trained on'
          : 'starts from weights of other classes';
      warnings.push(`${path} ${what} (training images ${data.train.slice(0, 12)}).`);
    }
    if (summary.status === 'stopped') {
      warnings.push(
        `${path} was stopped after epoch ${summary.lastEpoch} of ${summary.epochs}${summary.reason ? `: ${summary.reason}` : ''}.`,
      );
    }
    warnings.push(...notes.map((note) => `${path}: ${note}.`));
  }
  return warnings;
}

/** Hash of the training images: of their content, or for a run of an earlier version of their rows. */
const imagesOf = ({ images, subsetHash }: RunSummary): string => images?.train ?? subsetHash;

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The first few of a list, and how many more there are. */
const some = (parts: readonly string[], separator = ', '): string =>
  parts.length <= 6
    ? parts.join(separator)
    : `${parts.slice(0, 5).join(separator)}${separator}and ${parts.length - 5} more`;
