import { createReadStream } from 'node:fs';
import { messageOf } from '../../errors.ts';
import { manifestRow, readFailed } from '../errors.ts';

/** Called with a row of a table in a text file and the line that it starts in, from 1. */
export type OnRow = (line: number, fields: string[]) => void;

/** A longer line, or field in quotes, is none of a table of paths: in characters. */
const LONGEST = 2 ** 17;

/**
 * Reads a CSV file (RFC 4180; with tabs, TSV), the header as its first row: a field in quotes may hold separators, line ends and
 * doubled quotes. Empty lines are passed over.
 *
 * @throws {TailmixError} DATA_MANIFEST for a quote that is not closed, and what {@link readLines} refuses
 */
export async function readSeparated(path: string, separator: ',' | '\t', onRow: OnRow): Promise<void> {
  let open: { line: number; text: string } | null = null;
  await readLines(path, (number, text) => {
    if (open === null && text === '') return;
    const line = open?.line ?? number;
    const whole: string = open === null ? text : `${open.text}\n${text}`;
    // An even number of quotes closes none: fields of many lines are not split anew with each of them.
    const goesOn = open !== null && text.split('"').length % 2 === 1;
    const fields = goesOn ? 'open' : whole.includes('"') ? splitQuoted(whole, separator) : whole.split(separator);
    open = fields === 'open' ? { line, text: whole } : null;
    if (fields === 'malformed') throw manifestRow(path, line, 'quotes around a whole field', whole);
    if (fields !== 'open') onRow(line, fields);
    else if (whole.length > LONGEST) throw notClosed(path, line, whole);
  });
  const left = open as { line: number; text: string } | null;
  if (left !== null) throw notClosed(path, left.line, left.text);
}

const notClosed = (path: string, line: number, text: string) =>
  manifestRow(path, line, 'a quote that is closed', text.slice(0, LONGEST).split('\n')[0]!);

/** The fields of a record; whether a quoted field goes on in the next line; or that a quote is where none may be. */
function splitQuoted(text: string, separator: string): string[] | 'open' | 'malformed' {
  const fields: string[] = [];
  for (let at = 0; ; at++) {
    if (text[at] === '"') {
      let field = '';
      for (let from = at + 1; ; from = at + 1) {
        const end = text.indexOf('"', from);
        if (end < 0) return 'open';
        field += text.slice(from, end);
        at = end + 1;
        if (text[at] !== '"') break;
        field += '"';
      }
      if (at < text.length && text[at] !== separator) return 'malformed';
      fields.push(field);
    } else {
      const end = text.indexOf(separator, at);
      const field = text.slice(at, end < 0 ? undefined : end);
      if (field.includes('"')) return 'malformed';
      fields.push(field);
      at = end < 0 ? text.length : end;
    }
    if (at >= text.length) return fields;
  }
}

/**
 * Calls with each line of a UTF-8 file, without its end; read piece by piece, a byte order mark is passed over.
 *
 * @throws {TailmixError} DATA_MANIFEST for bytes that are no text and for a line without end; DATA_READ
 */
export async function readLines(path: string, onLine: (number: number, text: string) => void): Promise<void> {
  let number = 0;
  let rest = '';
  const emit = (line: string): void => {
    number++;
    if (line.length > LONGEST) throw tooLong(path, number, line);
    if (/[\0\uFFFD]/.test(line))
      throw manifestRow(path, number, 'text in UTF-8', line.includes('\0') ? 'a zero byte' : 'other bytes');
    const text = number === 1 ? line.replace(/^\uFEFF/, '') : line;
    onLine(number, text.endsWith('\r') ? text.slice(0, -1) : text);
  };
  try {
    for await (const piece of createReadStream(path, { encoding: 'utf8', highWaterMark: 2 ** 20 })) {
      const lines = (rest + (piece as string)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) emit(line);
      if (rest.length > LONGEST) throw tooLong(path, number + 1, rest);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw readFailed(path, messageOf(error), error);
  }
  if (rest !== '') emit(rest);
}

const tooLong = (path: string, line: number, text: string) =>
  manifestRow(path, line, `at most ${LONGEST} characters`, `more: ${text.slice(0, 80)}`);
