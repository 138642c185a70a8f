import { grouped } from '../../util/grouped.ts';
import type { Choice } from '../choice.ts';
import type { Comparison } from '../compare.ts';
import { Html, html } from '../html.ts';
import {
  confusionFigures,
  differenceFigure,
  longTailFigure,
  perClassFigure,
  reliabilityFigures,
  speedFigures,
} from './charts.ts';
import { choiceSection } from './choice.ts';
import { furtherSection } from './further.ts';
import { differencesTable, reproduction, runTable } from './settings.ts';
import { style } from './style.ts';
import { confusionsTable, differenceTable, headlineTable, otherProtocols, worstClassesTable } from './tables.ts';
import { trainingFigures } from './training.ts';

/**
 * The report as one HTML document: no script, nothing loaded from anywhere, which its content policy also says.
 *
 * @param created - When the report was written; shown in its head.
 * @param choice - Which method to use, told first.
 */
export async function renderPage(comparison: Comparison, created: Date, choice: Choice | null = null): Promise<string> {
  const { dataset, methods, classes, testCount, warnings, leftOut } = comparison;
  const difference = await differenceFigure(comparison);
  const further = furtherSection(comparison);
  const sections: { id: string; title: string; body: Html | (Html | null)[] }[] = [
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
    { id: 'data', title: 'The long tail', body: await longTailFigure(comparison) },
    { id: 'speed', title: 'Time', body: await speedFigures(comparison) },
    { id: 'settings', title: 'Settings', body: [differencesTable(comparison), runTable(comparison)] },
    { id: 'reproduce', title: 'Run it again', body: reproduction(comparison) },
  ];
  const title = `${dataset}: ${methods.length === 1 ? methods[0]!.label : `${methods.length} methods`}`;
  const runs = methods.reduce((sum, method) => sum + method.runs.length, 0);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="tailmix">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="lead">${runs} ${runs === 1 ? 'run' : 'runs'}, ${grouped(classes.length)} classes, ${grouped(testCount)} test images. Headline numbers are from the last epoch. Written ${created.toISOString().slice(0, 10)}.</p>
${notice('Before comparing', warnings)}
${notice(
  'Left out',
  leftOut.map(({ path, reason }) => `${path}: ${reason}`),
)}
<nav aria-label="Sections"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(({ id, title, body }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>\n`)}
</main>
<footer>Written by tailmix. results.csv, results.md and report.json beside this page hold the figures.</footer>
</body>
</html>
`;
  return page.text;
}

const notice = (title: string, lines: readonly string[]): Html | null =>
  lines.length === 0
    ? null
    : html`<div class="warnings" role="note"><p>${title}</p><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`;
