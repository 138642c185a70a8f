import type { RunSummary } from '../metrics/types.ts';

/** What a run came to, as lines for people. */
export function describeSummary(summary: RunSummary, directory: string): string {
  const {
    method,
    seed,
    status,
    reason,
    last,
    lastEpoch,
    bestOnTest,
    chosenOnValidation: chosen,
    seconds,
    backend,
    stepMode,
    device,
  } = summary;
  const share = (value: number | null): string => (value === null ? '–' : `${(100 * value).toFixed(2)} %`);
  const rows: [string, string][] = [
    [
      'run',
      `${method}, seed ${seed}: ${status}${reason ? ` (${reason})` : ''} in ${seconds.toFixed(0)} s, ${device === undefined ? backend : `device ${device}`}, ${stepMode}`,
    ],
  ];
  if (last) {
    rows.push(
      [`epoch ${lastEpoch}`, `accuracy ${share(last.accuracy)}, balanced ${share(last.balancedAccuracy)}`],
      ['many, medium, few', [last.many, last.medium, last.few].map(share).join(', ')],
      ['worst class', `${last.worstClass.name}, ${share(last.worstClass.accuracy)}`],
    );
  }
  if (chosen)
    rows.push([
      'by validation',
      `accuracy ${share(chosen.accuracy)}, balanced ${share(chosen.balancedAccuracy)}, epoch ${chosen.epoch} (chosen on validation)`,
    ]);
  if (bestOnTest)
    rows.push(['best on test', `accuracy ${share(bestOnTest.accuracy)}, epoch ${bestOnTest.epoch} (optimistic)`]);
  rows.push(['directory', directory]);
  return rows.map(([title, text]) => `${title.padEnd(20)}${text}`).join('\n');
}
