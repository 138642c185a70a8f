/**
 * Whether one of the patterns fits one of the names, from its first character to its last. `*` stands for any text,
 * none included, `?` for one character, and everything else for itself.
 */
export function matchesAny(patterns: readonly string[], names: readonly string[]): boolean {
  const expressions = patterns.map(toExpression);
  return names.some((name) => expressions.some((expression) => expression.test(name)));
}

function toExpression(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su');
}
