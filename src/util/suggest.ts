/** The options nearest to what was written, two edits away at most; null where none is. */
export function suggest(written: string, options: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.min(3, written.length);
  for (const option of options) {
    const edits = distance(written.toLowerCase(), option.toLowerCase());
    if (edits < least) [best, least] = [option, edits];
  }
  return best;
}

/** Insertions, deletions and replacements that make `b` of `a` (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
