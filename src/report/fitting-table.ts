/** A column of text. */
interface Column {
  head: string;
  cells: readonly string[];
}

/**
 * Lines of a table for a terminal: the first column to the left, figures to the right. Columns that do not fit `width` are
 * left off from the right; the first one stays, and its cells may have several lines.
 */
export function fittingTable(columns: readonly Column[], width: number): string[] {
  const sized = columns.map(({ head, cells }) => ({
    head,
    cells,
    size: Math.max(head.length, ...cells.flatMap((cell) => cell.split('\n').map((line) => line.length))),
  }));
  let used = -2;
  const fitting = sized.filter(({ size }, i) => {
    used += size + 2;
    return i === 0 || used <= width;
  });
  const line = (cell: (column: (typeof sized)[number]) => string): string =>
    fitting
      .map((column, i) => (i === 0 ? cell(column).padEnd(column.size) : cell(column).padStart(column.size)))
      .join('  ')
      .trimEnd();
  return [
    line(({ head }) => head),
    line(({ size }) => '─'.repeat(size)),
    ...(columns[0]?.cells ?? []).flatMap((name, row) =>
      name.split('\n').map((part, i) => (i === 0 ? line(({ cells }) => cells[row]!.split('\n')[0]!) : part)),
    ),
  ];
}
