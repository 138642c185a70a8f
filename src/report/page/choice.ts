import { type Choice, choiceInWords } from '../choice.ts';
import { duration, withSpread } from '../format.ts';
import { type Html, html } from '../html.ts';
import { heads, table } from './parts.ts';

/** The answer, and what each method reaches and costs. */
export const choiceSection = (choice: Choice): Html =>
  html`${choiceInWords(choice).map((line) => html`<p>${line}</p>`)}${table(
    'Balanced accuracy in percent, of the epoch that is best on validation; the best method first.',
    heads(['Method', 'Validation', 'Test', 'Time of a run', 'Images/s']),
    choice.methods.map(
      ({ method, validation, test, seconds, imagesPerSecond }) =>
        html`<tr><th scope="row" class="${method.length <= 24 ? 'short' : 'long'}">${method}</th><td class="${method === choice.chosen ? 'best' : ''}">${withSpread(validation)}</td><td>${withSpread(test)}</td><td>${duration(seconds)}</td><td>${imagesPerSecond === null ? '–' : Math.round(imagesPerSecond)}</td></tr>`,
    ),
    { className: 'headline', label: 'Which method to use' },
  )}`;
