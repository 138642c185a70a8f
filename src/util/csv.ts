type Cell = string | number | null | undefined;

/** A row of RFC 4180, without its end; an empty cell for null. */
export const csvRow = (cells: readonly Cell[]): string => cells.map(cell).join(',');

/** Rows as a file of RFC 4180. */
export const csvTable = (rows: readonly (readonly Cell[])[]): string =>
  rows.map((row) => `${csvRow(row)}\r\n`).join('');

/** Beginnings of what a spreadsheet takes for a formula, as OWASP lists them. */
const FORMULA = /^[=+\-@\t\r]/;

/** A number as it is; a text that a spreadsheet would run as a formula gets an apostrophe in front. */
function cell(value: Cell): string {
  const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
