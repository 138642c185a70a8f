/** A word as a shell reads it, quoted where it must be. */
export const shellWord = (word: string): string =>
  /^[\p{L}\p{N}_@%+=:,./…-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
