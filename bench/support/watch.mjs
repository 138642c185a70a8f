// What a bench learns of a `tailmix` command that it starts: seconds, peak of resident memory, and, of a training run, when
// each phase ends and how large memory was then.
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { shortcomings } from '../../dist/src/bench/step.js';

const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** The plugin that reports phases: an entry of `plugins`. */
export const phasesPlugin = here('phases.mjs');

/** What runs were measured without, each told once. */
const told = new Set();

/**
 * Runs the command line in a process of its own, as a user starts it.
 *
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, until?: string }} options - variables beside the process's own; the phase after
 *   which the process is killed (its peak is then not known)
 * @returns {Promise<{ seconds: number, peakBytes: number | null, phases: { phase: string, seconds: number, cpuSeconds: number, rssBytes: number }[], without: string[], output: string }>}
 *   phases from the start of the process; what it was measured without, as those of a step; what it printed
 */
export async function tailmix(args, { env = {}, until } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'tailmix-watch-'));
  const peak = join(folder, 'peak');
  const start = performance.now();
  const child = fork(here('../../bin/tailmix.mjs'), args, {
    env: { ...process.env, MLFLOW_TRACKING_URI: '', ...env, BENCH_PEAK: peak },
    execArgv: ['--import', here('peak.mjs')],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    output += piece;
  });
  const phases = [];
  const without = [];
  child.on('message', (message) => {
    if (message?.type === 'engine') without.push(...lacking(message.engine));
    if (message?.type !== 'phase') return;
    phases.push(message);
    if (message.phase === until) child.kill('SIGKILL');
  });
  try {
    const code = await new Promise((resolve) => child.on('close', resolve));
    const stopped = phases.some(({ phase }) => phase === until);
    if (code !== 0 && !stopped) throw new Error(`tailmix ${args.join(' ')} ended with exit code ${code}\n${output}`);
    const seconds = (performance.now() - start) / 1000;
    return { seconds, peakBytes: stopped ? null : Number(readFileSync(peak, 'utf8')), phases, without, output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A line for standard error, once in a process, and for the report. */
function lacking(engine) {
  const without = shortcomings(engine);
  for (const lack of without) {
    if (!told.has(lack)) console.error(`CAUTION: measured ${lack}`);
    told.add(lack);
  }
  return without;
}
