import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { noSpool, spoolDamaged, spoolUnreadable } from './errors.ts';
import { parseRecord, type RunRecord, type SpoolRecord, spoolFiles } from './records.ts';

/** A line of a spool. */
export interface SpoolLine {
  /** Null for a line that cannot be read. */
  record: SpoolRecord | null;
  /** Why it cannot be read. */
  problem: string | null;
  /** Offset behind the line, in bytes: where to read on. */
  end: number;
}

const CHUNK = 1 << 18;
const NEWLINE = 10;

/** Whether a run directory has a spool. */
export const hasSpool = (runDirectory: string): boolean => existsSync(join(runDirectory, spoolFiles.spool));

/**
 * Lines of a run's spool as they stand now; a last line without its newline is being written, and left out. A line that
 * cannot be read is handed on with its problem: what follows it is not lost.
 *
 * @param from - offset of the first line to read, in bytes.
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED where the system refuses to read it
 */
export async function* readSpool(runDirectory: string, from = 0): AsyncGenerator<SpoolLine> {
  const path = join(runDirectory, spoolFiles.spool);
  if (!existsSync(path)) throw noSpool(runDirectory);
  const refused = (cause: unknown): never => {
    throw spoolUnreadable(path, cause);
  };
  const file = await open(path, 'r').catch(refused);
  try {
    let rest: Buffer = Buffer.alloc(0);
    let end = from;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const { bytesRead } = await file.read(chunk, 0, CHUNK, end + rest.length).catch(refused);
      if (bytesRead === 0) return;
      let bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE)) {
        end += at + 1;
        yield { ...parsed(bytes.toString('utf8', 0, at)), end };
        bytes = bytes.subarray(at + 1);
      }
      rest = bytes;
    }
  } finally {
    await file.close();
  }
}

function parsed(line: string): Pick<SpoolLine, 'record' | 'problem'> {
  try {
    return { record: parseRecord(line), problem: null };
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    return { record: null, problem: why.replace(/\s*\n\s*/g, ' ') };
  }
}

/**
 * The run that a spool is of.
 *
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED
 */
export async function readSpoolRun(runDirectory: string): Promise<RunRecord> {
  for await (const { record, problem } of readSpool(runDirectory)) {
    if (record?.type === 'run') return record;
    throw spoolDamaged(join(runDirectory, spoolFiles.spool), problem ?? `it is of type ${record!.type}`);
  }
  throw spoolDamaged(join(runDirectory, spoolFiles.spool), 'it is empty');
}
