import type { SpoolWriter } from './write.ts';

/** Writes the report of a finished run, and has it sent. Drawing is loaded when it is needed. */
export async function addReport(runDirectory: string, spool: SpoolWriter): Promise<void> {
  const { writeRunReport } = await import('../../report/run-report.ts');
  for (const file of await writeRunReport(runDirectory)) spool.write({ type: 'artifact', path: file, file });
}
