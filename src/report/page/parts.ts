import { methodColour, methodDash } from '../charts/theme.ts';
import { type Html, html } from '../html.ts';

/** A short line in a method's colour and dash. */
export const swatch = (index: number): Html =>
  html`<svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><line x1="0" y1="6" x2="22" y2="6" stroke-width="4" stroke="${methodColour(index)}" stroke-dasharray="${methodDash(index).join(' ')}"/></svg>`;

/** Methods with their colours, in the order of the tables. */
export const legend = (labels: readonly string[]): Html =>
  html`<ul class="legend" aria-label="Methods">${labels.map((label, i) => html`<li>${swatch(i)}${label}</li>`)}</ul>`;

/** A figure with its caption above, and its key. A `wide` one keeps a readable size on a phone and scrolls. */
export const figure = (
  caption: string | Html,
  body: Html | readonly Html[],
  { wide = false, key = null }: { wide?: boolean; key?: Html | null } = {},
): Html =>
  html`<figure><figcaption>${caption}</figcaption>${key}${wide ? scroll('Chart', html`${body}`, 'scroll wide') : body}</figure>`;

/** A region that scrolls sideways where it does not fit; reachable by keyboard. */
const scroll = (label: string, body: Html, className = 'scroll'): Html =>
  html`<div class="${className}" role="region" aria-label="${label}" tabindex="0">${body}</div>`;

/** One method's part of a figure made of panels. */
export const panel = (index: number, label: string, small: string | null, chart: Html): Html =>
  html`<section class="panel"><h3>${swatch(index)}<span>${label}${small === null ? null : html`<small>${small}</small>`}</span></h3>${chart}</section>`;

const panelsAtOnce = 12;

/** Panels side by side, as many as fit; a great number of them is folded away. */
export const panels = (parts: readonly Html[], width: string): Html => {
  const all = html`<div class="panels" style="--panel-width:${width}">${parts}</div>`;
  return parts.length <= panelsAtOnce ? all : details(`Show ${parts.length} panels`, all);
};

/** A table that scrolls sideways on its own. */
export const table = (
  caption: string | Html,
  head: Html,
  rows: readonly Html[],
  { className = '', label = 'Table' }: { className?: string; label?: string } = {},
): Html =>
  scroll(
    label,
    html`<table class="${className}"><caption><span>${caption}</span></caption><thead>${head}</thead><tbody>${rows}</tbody></table>`,
  );

/** Header cells of one row. */
export const heads = (titles: readonly (string | Html)[]): Html =>
  html`<tr>${titles.map((title) => html`<th scope="col">${title}</th>`)}</tr>`;

/** Something to unfold. */
export const details = (summary: string, body: Html): Html =>
  html`<details><summary>${summary}</summary>${body}</details>`;
