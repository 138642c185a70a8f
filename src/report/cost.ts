import { grouped } from '../util/grouped.ts';
import type { Comparison, MethodResult } from './compare.ts';
import { duration, shortCount } from './format.ts';

type Summary = MethodResult['runs'][number]['summary'];

/** What the runs of a method say, each answer once. */
export const ofRuns =
  (of: (summary: Summary) => string | number) =>
  ({ runs }: MethodResult): string =>
    [...new Set(runs.map(({ summary }) => String(of(summary))))].join(', ');

const costs: readonly { title: string; of(method: MethodResult): string }[] = [
  {
    title: 'Epochs',
    of: ofRuns(({ epochs, lastEpoch }) => (lastEpoch === epochs ? epochs : `${lastEpoch} of ${epochs}`)),
  },
  {
    title: 'Parameters',
    of: ofRuns(({ parameters }) => {
      if (!parameters) return '–';
      const { trained, all } = parameters;
      return trained === all ? `${grouped(all)}, all trained` : `${grouped(all)}, ${grouped(trained)} trained`;
    }),
  },
  { title: 'MACs of an image', of: ofRuns(({ macs }) => (macs === undefined ? '–' : shortCount(macs))) },
  { title: 'Seconds of a run', of: ({ seconds }) => duration(seconds.mean) },
];

/** What a run of each method costs: what at least one of them knows. */
export const costsShown = ({ methods }: Comparison): typeof costs =>
  costs.filter(({ of }) => methods.some((method) => of(method) !== '–'));
