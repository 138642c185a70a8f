import { criticalDifferenceChart } from '../charts/critical-difference.ts';
import { type Html, html } from '../html.ts';
import { type Overview, overviewRows, ranksInWords } from '../overview.ts';
import { figure, heads, table } from './parts.ts';
import { type Section, shell } from './shell.ts';
import { methodHead } from './tables.ts';

/**
 * The page over several data sets.
 *
 * @param links - of each data set the address of its page
 */
export function renderOverview(overview: Overview, title: string, links: readonly string[], created: Date): string {
  const { dataSets, ranks } = overview;
  const { head, rows } = overviewRows(overview);
  const runs = dataSets.flatMap(({ comparison }) => comparison.methods.map((method) => method.runs.length));
  const linked = head.map((text, i): string | Html => {
    const link = links[i - 1];
    return link === undefined ? text : html`<a href="${link}">${text}</a>`;
  });
  const sections: Section[] = [
    {
      id: 'results',
      title: 'Balanced accuracy',
      body: table(
        'Last epoch, in percent; mean ± sample standard deviation over the seeds. Each data set has a page of its own.',
        heads(linked),
        rows.map(
          ([label, ...cells], i) =>
            html`<tr>${methodHead(label!, i)}${cells.map((text) => html`<td>${text}</td>`)}</tr>`,
        ),
        { className: 'headline', label: 'Balanced accuracy over data sets' },
      ),
    },
    {
      id: 'ranks',
      title: 'Ranks over the data sets',
      body: [
        ranks &&
          figure(
            'Critical-difference diagram: mean ranks, 1 is best. A bar joins methods that are not told apart.',
            criticalDifferenceChart(ranks),
            { wide: true },
          ),
        html`${ranksInWords(overview).map((line) => html`<p class="note">${line}</p>`)}`,
      ],
    },
  ];
  return shell({
    title,
    lead: `${dataSets.length} data sets, ${overview.methods.length} methods, ${runs.reduce((a, b) => a + b, 0)} runs. Written ${created.toISOString().slice(0, 10)}.`,
    notices: [],
    sections,
    footer: 'results.md and report.json beside this page hold the figures, references.bib the papers of what ran.',
  });
}
