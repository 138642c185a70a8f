/** A pattern of names as a regular expression: `*` is any characters but `/`. */
export const globOf = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(/[^\w*/-]/g, '\\$&').replaceAll('*', '[^/]*')}$`);
