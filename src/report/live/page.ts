import { compareRuns } from '../compare.ts';
import { byDataSet } from '../data-sets.ts';
import { duration, percent } from '../format.ts';
import { type Html, html } from '../html.ts';
import { perClassFigure } from '../page/charts.ts';
import { heads, table } from '../page/parts.ts';
import { contents, type Section, sectionOf, shell } from '../page/shell.ts';
import { headlineTable } from '../page/tables.ts';
import { trainingFigures } from '../page/training.ts';
import type { LoadedRun } from '../runs.ts';
import type { LiveRun } from './runs.ts';
import { script } from './script.ts';

/** The live report at one moment, in the parts that are sent. */
export interface LivePage {
  /** One line, which a screen reader reads out when it changes. */
  status: string;
  /** Markup of the links to the sections. */
  contents: string;
  /** Markup by id, in order. */
  sections: { id: string; html: string }[];
  /** The whole page. */
  page: string;
}

/**
 * Draws the report as it stands.
 *
 * @param title - Name of the run or of the sweep.
 * @param observers - plugins that only observe: they and their options make no method
 */
export async function renderLive(
  title: string,
  runs: readonly LiveRun[],
  observers: ReadonlySet<string>,
): Promise<LivePage> {
  const loaded = runs.flatMap((run) => run.loaded ?? []);
  const sets = byDataSet(loaded);
  const sections: Section[] = [{ id: 'runs', title: 'Runs', body: runsTable(runs) }];
  for (const [i, { name, runs: own }] of sets.entries()) {
    sections.push(...(await sectionsOf(own, sets.length > 1 ? ` on ${name}` : '', i, observers)));
  }
  const status = statusOf(runs);
  return {
    status,
    contents: contents(sections).text,
    sections: sections.map((section) => ({ id: section.id, html: sectionOf(section).text })),
    page: shell({
      title,
      lead: 'As it stands: figures of running runs are those of their last evaluated epoch, and no result yet.',
      notices: [
        html`<p id="status" role="status">${status}</p><noscript><p>Without JavaScript this page stays as it is; load it again for news.</p></noscript>`,
      ],
      sections,
      footer: 'This page is served while the runs last; the report stays.',
      script,
    }),
  };
}

async function sectionsOf(
  runs: readonly LoadedRun[],
  where: string,
  index: number,
  observers: ReadonlySet<string>,
): Promise<Section[]> {
  const comparison = compareRuns({ runs: [...runs], leftOut: [] }, { observers });
  return [
    { id: `results-${index}`, title: `Results${where}, so far`, body: headlineTable(comparison) },
    { id: `training-${index}`, title: `Training${where}`, body: await trainingFigures(comparison) },
    { id: `classes-${index}`, title: `Accuracy per class${where}`, body: await perClassFigure(comparison) },
  ];
}

/** `3 runs: 1 running, 2 finished. 14 of 30 epochs.` */
export function statusOf(runs: readonly LiveRun[]): string {
  if (runs.length === 0) return 'No run has begun yet.';
  const states = [...new Set(runs.map(({ state }) => state))];
  const counts = states.map((state) => `${runs.filter((run) => run.state === state).length} ${state}`);
  const sum = (of: (run: LiveRun) => number) => runs.reduce((total, run) => total + of(run), 0);
  return `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}: ${counts.join(', ')}. ${sum(({ epoch }) => epoch)} of ${sum(({ epochs }) => epochs)} epochs.`;
}

function runsTable(runs: readonly LiveRun[]): Html {
  return table(
    'Accuracy is balanced, on the test set, of the last evaluated epoch, in percent.',
    heads(['Run', 'State', 'Epoch', 'To go', 'Loss', 'Accuracy']),
    runs.map(({ method, seed, state, reason, epoch, epochs, secondsLeft, loss, loaded }) => {
      const name = `${method}, seed ${seed}`;
      return html`<tr><th scope="row" class="${name.length <= 24 ? 'short' : 'long'}">${name}</th><td class="${reason === null ? '' : 'text'}">${reason === null ? state : `${state}: ${reason}`}</td><td>${epoch} of ${epochs}</td><td>${secondsLeft === null ? '–' : duration(secondsLeft)}</td><td>${loss === null ? '–' : loss.toPrecision(3)}</td><td>${loaded ? percent(loaded.summary.last.balancedAccuracy) : '–'}</td></tr>`;
    }),
    { className: 'headline', label: 'Runs' },
  );
}
