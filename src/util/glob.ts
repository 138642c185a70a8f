const sourceOf = (pattern: string): string => pattern.replaceAll(/[^\w*/-]/g, '\\$&').replaceAll('*', '[^/]*');

/** A pattern of names as a regular expression: `*` is any characters but `/`. */
export const globOf = (pattern: string): RegExp => new RegExp(`^${sourceOf(pattern)}$`);

/** As {@link globOf}, of how `/`-separated names begin. */
export const prefixOf = (pattern: string): RegExp => new RegExp(`^${sourceOf(pattern)}(/|$)`);
