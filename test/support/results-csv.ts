/** Rows of a `results.csv` without what differs from one place and time to another. */
export function figuresOf(csv: string): string[][] {
  const rows = csv
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(','));
  const left = new Set(['seconds', 'run'].map((name) => rows[0]!.indexOf(name)));
  return rows.map((row) => row.filter((_, column) => !left.has(column)));
}
