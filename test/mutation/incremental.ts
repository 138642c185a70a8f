import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** The part that we read of Stryker's report and of its incremental file, which is the same: mutation-testing-schema 2. */
export interface Report {
  files: Record<string, { source: string; mutants: Mutant[] }>;
  testFiles?: Record<string, { source?: string; tests: { id: string }[] }>;
}

interface Position {
  line: number;
  column: number;
}

export interface Mutant {
  mutatorName: string;
  replacement: string;
  status: 'Killed' | 'Timeout' | 'Survived' | 'NoCoverage' | 'Ignored' | 'RuntimeError' | 'CompileError' | 'Pending';
  statusReason?: string;
  location: { start: Position; end: Position };
  killedBy?: string[];
}

/**
 * Takes out of an incremental file what Stryker would trust too long: it knows a test by its name, so that a survivor
 * would not be tried again by a test that was sharpened, nor a killed mutant by one that was blunted.
 */
export function forgetStale(path: string): void {
  if (!existsSync(path)) return;
  const report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  const changed = new Set(
    Object.entries(report.testFiles ?? {}).flatMap(([file, { source, tests }]) =>
      existsSync(file) && readFileSync(file, 'utf8') === source ? [] : tests.map(({ id }) => id),
    ),
  );
  const holds = ({ status, killedBy = [] }: Mutant): boolean =>
    status === 'Killed' ? !killedBy.some((test) => changed.has(test)) : status === 'Timeout';
  for (const file of Object.values(report.files)) file.mutants = file.mutants.filter(holds);
  writeFileSync(path, JSON.stringify(report));
}
