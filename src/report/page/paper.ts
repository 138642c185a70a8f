import { decimalsFor, percent, points, withSpread } from '../format.ts';
import { type Html, html } from '../html.ts';
import { type PaperFigures, paperNote } from '../paper.ts';
import { heads, table } from './parts.ts';

/** The paper's figures beside those of the runs. */
export const paperSection = (paper: PaperFigures, testCount: number): Html =>
  html`${table(
    'Accuracy on the test set in percent, beside what the paper of Remix reports for the same method, data set, long tail and network.',
    heads(['Method', 'Table', 'Paper', 'Here', 'Runs here', 'Difference', 'What differs']),
    paper.figures.map(
      ({ method, table: number, paper: theirs, ours, differs }) =>
        html`<tr><th scope="row" class="${method.length <= 24 ? 'short' : 'long'}">${method}</th><td>${number}</td><td>${percent(theirs, 2)}</td><td>${withSpread(ours, decimalsFor(testCount))}</td><td>${ours.n}</td><td>${points(ours.mean - theirs, decimalsFor(testCount))}</td><td class="text">${differs.length === 0 ? 'nothing in the config' : html`<ul class="plain">${differs.map((line) => html`<li><code>${line}</code></li>`)}</ul>`}</td></tr>`,
    ),
    { className: 'headline', label: 'Beside the paper' },
  )}<p class="note">${paperNote(paper)}</p>`;
