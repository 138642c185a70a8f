import process from 'node:process';
import { type Diagnosis, diagnose } from '../backend/doctor.ts';

/** Options of `tailmix doctor`. */
export interface DoctorCommandOptions {
  /** Print one JSON document on standard output. */
  json?: boolean;
}

/**
 * `tailmix doctor`: says what training would run on here, why, and the cure for each problem.
 *
 * @returns exit code: 1 if there is a problem, else 0
 */
export async function doctor(options: DoctorCommandOptions = {}): Promise<number> {
  const diagnosis = await diagnose();
  process.stdout.write(options.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : describe(diagnosis));
  return diagnosis.findings.some(({ status }) => status === 'problem') ? 1 : 0;
}

function describe({ findings }: Diagnosis): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const mark = { ok: ' ', note: '!', problem: '✗' };
  return findings
    .map(({ name, status, value, cure }) => {
      const line = `${mark[status]} ${name.padEnd(width)}  ${value}\n`;
      return cure === undefined ? line : `${line}  ${''.padEnd(width)}  → ${cure}\n`;
    })
    .join('');
}
