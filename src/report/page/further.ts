import type { Comparison } from '../compare.ts';
import { furtherTables } from '../further.ts';
import { type Html, html } from '../html.ts';
import { details, heads, swatch, table } from './parts.ts';

/** Figures beyond the headline, folded, a table for each section; null where no run has any. */
export function furtherSection(comparison: Comparison): Html | null {
  const tables = furtherTables(comparison);
  if (tables.length === 0) return null;
  return html`${tables.map(({ title, caption, columns, rows }) =>
    details(
      title,
      table(
        caption,
        heads(['Method', ...columns]),
        comparison.methods.map(
          ({ label }, i) =>
            html`<tr><th scope="row">${swatch(i)}${label}</th>${rows[i]!.map((cell) => html`<td>${cell}</td>`)}</tr>`,
        ),
        { label: title },
      ),
    ),
  )}`;
}
