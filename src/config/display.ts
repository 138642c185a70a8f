import { isAbsolute, relative } from 'node:path';
import process from 'node:process';

/** A file as messages name it: relative to the working directory when it lies below, else absolute. */
export function displayPath(file: string): string {
  const short = relative(process.cwd(), file);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? file : short.replaceAll('\\', '/');
}

/** A value as messages show it, in one line of 60 characters at most. */
export function displayValue(value: unknown): string {
  const text =
    typeof value === 'function'
      ? 'a function'
      : typeof value === 'number' || value === undefined
        ? String(value)
        : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
