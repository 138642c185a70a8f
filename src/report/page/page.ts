import { grouped } from '../../util/grouped.ts';
import type { Choice } from '../choice.ts';
import type { Comparison } from '../compare.ts';
import { html } from '../html.ts';
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
import { differenceTable } from './differences.ts';
import { furtherSection } from './further.ts';
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
 * @param options.pictures - Of the methods; those that do not fit into 10 MB are left out.
 */
export async function renderPage(
  comparison: Comparison,
  created: Date,
  {
    choice = null,
    name,
    pictures = [],
  }: { choice?: Choice | null; name?: string | undefined; pictures?: readonly ShownPictures[] } = {},
): Promise<string> {
  const { dataset, methods, classes, testCount, warnings, leftOut } = comparison;
  const difference = await differenceFigure(comparison);
  const further = furtherSection(comparison);
  const written: Section[] = [
    ...(choice ? [{ id: 'choice', title: 'Which should I use', body: choiceSection(choice) }] : []),
    {
      id: 'results',
      title: 'Results',
      body: [headlineTable(comparison), html`<h3>Other protocols</h3>`, otherProtocols(comparison)],
    },
    ...(difference
      ? [{ id: 'differences', title: `Against ${methods[0]!.label}`, body: [differenceTable(comparison), difference] }]
      : []),
    {
      id: 'classes',
      title: 'Accuracy per class',
      body: [await perClassFigure(comparison), worstClassesTable(comparison)],
    },
    { id: 'confusion', title: 'Confusion', body: [await confusionFigures(comparison), confusionsTable(comparison)] },
    { id: 'training', title: 'Training', body: await trainingFigures(comparison) },
    { id: 'calibration', title: 'Calibration', body: await reliabilityFigures(comparison) },
    ...(further ? [{ id: 'further', title: 'Further figures', body: further }] : []),
    {
      id: 'data',
      title: 'The long tail',
      body: [await longTailFigure(comparison), await countAccuracyFigure(comparison)],
    },
    { id: 'speed', title: 'Time', body: [await tradeOffFigure(comparison), await speedFigures(comparison)] },
    { id: 'settings', title: 'Settings', body: [differencesTable(comparison), runTable(comparison)] },
    { id: 'reproduce', title: 'Run it again', body: reproduction(comparison) },
  ];
  const room = PAGE_BYTES - RESERVE - Buffer.byteLength(html`${written.map(sectionOf)}`.text);
  const pictured = await pictureSections(pictures, room);
  const place = written.findIndex(({ id }) => id === 'training');
  const sections = written.toSpliced(place, 0, ...pictured);
  const what = methods.length === 1 ? methods[0]!.label : `${methods.length} methods`;
  const title = name === undefined || name === dataset ? `${dataset}: ${what}` : `${name}: ${dataset}, ${what}`;
  const runs = methods.reduce((sum, method) => sum + method.runs.length, 0);
  return shell({
    title,
    lead: `${runs} ${runs === 1 ? 'run' : 'runs'}, ${grouped(classes.length)} classes, ${grouped(testCount)} test images. Headline numbers are from the last epoch. Written ${created.toISOString().slice(0, 10)}.`,
    notices: [
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
