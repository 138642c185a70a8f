import { grouped } from '../../util/grouped.ts';
import type { Choice } from '../choice.ts';
import type { Comparison } from '../compare.ts';
import { html } from '../html.ts';
import type { PaperFigures } from '../paper.ts';
import type { ShownPictures } from '../pictures/shown.ts';
import {
  confusionFigures,
  differenceFigure,
  longTailFigure,
  perClassFigure,
  reliabilityFigures,
  speedFigures,
} from './charts.ts';
import { choiceSection } from './choice.ts';
import { detailedMethods } from './detailed.ts';
import { differenceTable } from './differences.ts';
import { furtherSection } from './further.ts';
import { paperSection } from './paper.ts';
import { PAGE_BYTES, pictureSections } from './pictures.ts';
import { differencesTable, reproduction, runTable } from './settings.ts';
import { notice, type Section, sectionOf, shell } from './shell.ts';
import { confusionsTable, headlineTable, otherProtocols, worstClassesTable } from './tables.ts';
import { countAccuracyFigure, tradeOffFigure } from './trade-off.ts';
import { trainingFigures } from './training.ts';

/** Bytes kept for what stands around the sections. */
const RESERVE = 50_000;

/**
 * The report as one HTML document: no script, nothing loaded from anywhere, which its content policy also says.
 *
 * @param created - When the report was written; shown in its head.
 * @param options.choice - Which method to use, told first.
 * @param options.name - Of the sweep.
 * @param options.paper - What a paper reports for the same cells.
 * @param options.pictures - Of the methods; those that do not fit into 10 MB are left out.
 */
export async function renderPage(
  comparison: Comparison,
  created: Date,
  {
    choice = null,
    name,
    paper = null,
    pictures = [],
  }: {
    choice?: Choice | null;
    name?: string | undefined;
    paper?: PaperFigures | null;
    pictures?: readonly ShownPictures[];
  } = {},
): Promise<string> {
  const { all, detailed, note } = detailedMethods(comparison);
  const { dataset, methods, classes, testCount, warnings, leftOut } = all;
  const difference = await differenceFigure(detailed);
  const further = furtherSection(all);
  const written: Section[] = [
    ...(choice ? [{ id: 'choice', title: 'Which should I use', body: choiceSection(choice) }] : []),
    {
      id: 'results',
      title: 'Results',
      body: [headlineTable(all), html`<h3>Other protocols</h3>`, otherProtocols(all)],
    },
    ...(difference
      ? [{ id: 'differences', title: `Against ${methods[0]!.label}`, body: [differenceTable(all), difference] }]
      : []),
    ...(paper ? [{ id: 'paper', title: 'Beside the paper', body: paperSection(paper, testCount) }] : []),
    {
      id: 'classes',
      title: 'Accuracy per class',
      body: [await perClassFigure(detailed), worstClassesTable(detailed)],
    },
    { id: 'confusion', title: 'Confusion', body: [await confusionFigures(detailed), confusionsTable(detailed)] },
    { id: 'training', title: 'Training', body: await trainingFigures(detailed) },
    { id: 'calibration', title: 'Calibration', body: await reliabilityFigures(detailed) },
    ...(further ? [{ id: 'further', title: 'Further figures', body: further }] : []),
    {
      id: 'data',
      title: 'The long tail',
      body: [await longTailFigure(all), await countAccuracyFigure(detailed)],
    },
    { id: 'speed', title: 'Time', body: [await tradeOffFigure(all), await speedFigures(detailed)] },
    { id: 'settings', title: 'Settings', body: [differencesTable(detailed), runTable(detailed)] },
    { id: 'reproduce', title: 'Run it again', body: reproduction(detailed) },
  ];
  const room = PAGE_BYTES - RESERVE - Buffer.byteLength(html`${written.map(sectionOf)}`.text);
  const pictured = await pictureSections(placed(pictures, methods), room);
  const place = written.findIndex(({ id }) => id === 'training');
  const sections = written.toSpliced(place, 0, ...pictured);
  const what = methods.length === 1 ? methods[0]!.label : `${methods.length} methods`;
  const title = name === undefined || name === dataset ? `${dataset}: ${what}` : `${name}: ${dataset}, ${what}`;
  const runs = methods.reduce((sum, method) => sum + method.runs.length, 0);
  return shell({
    title,
    lead: `${runs} ${runs === 1 ? 'run' : 'runs'}, ${grouped(classes.length)} classes, ${grouped(testCount)} test images. Headline numbers are from the last epoch. Written ${created.toISOString().slice(0, 10)}.`,
    notices: [
      notice('Many methods', note === null ? [] : [note]),
      notice('Before comparing', warnings),
      notice(
        'Left out',
        leftOut.map(({ path, reason }) => `${path}: ${reason}`),
      ),
    ],
    sections,
    hasPictures: pictured.length > 0,
    footer:
      'results.csv, results.md and report.json beside this page hold the figures, references.bib the papers of what ran.',
  });
}

/** Pictures with the places that their methods have in this page. */
const placed = (pictures: readonly ShownPictures[], methods: Comparison['methods']): ShownPictures[] =>
  pictures.map((of) => ({ ...of, index: methods.findIndex(({ label }) => label === of.label) }));
