import { spawn } from 'node:child_process';
import process from 'node:process';
import { PROGRESS_VARIABLE, type ProgressMessage } from '../tracking/progress-message.ts';
import { childKilled } from './errors.ts';
import type { PlannedRun } from './expand.ts';

/** How a run is started in a process of its own. */
export interface ChildContext {
  /** The command's script. */
  launcher: string;
  resume: boolean;
  /** Arguments for every run, for example `--data-root`. */
  flags: readonly string[];
  /** Variables of a run. */
  env(run: PlannedRun): Readonly<Record<string, string>>;
  /** Ends the run in good order. */
  signal: AbortSignal;
  onProgress(message: ProgressMessage): void;
}

/** What became of it. */
export interface ChildResult {
  /** Null when a signal ended it. */
  exitCode: number | null;
  /** What it wrote on standard error. */
  errors: string;
}

const KEPT = 8000;

/** Runs one run as `tailmix train` in a child process; its progress comes over the channel between the two. */
export function trainInChild(
  run: PlannedRun,
  { launcher, resume, flags, env, signal, onProgress }: ChildContext,
): Promise<ChildResult> {
  const { configs, set, directory } = run;
  const settings = set.flatMap((setting) => ['--set', setting]);
  const own = resume ? ['--resume', directory] : [...configs, ...settings, '--out', directory];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [launcher, 'train', ...own, ...flags, '--json'], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...env(run), [PROGRESS_VARIABLE]: 'ipc' },
      // In a group of its own, so that Ctrl-C reaches it once: through this process.
      detached: true,
    });
    let errors = '';
    const end = (): void => void child.kill('SIGINT');
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-KEPT);
    });
    child.on('message', (message) => onProgress(message as ProgressMessage));
    child.on('error', reject);
    child.on('close', (exitCode, killedBy) => {
      signal.removeEventListener('abort', end);
      if (killedBy !== null) errors += `\n${childKilled(killedBy)}`;
      resolve({ exitCode, errors: errors.trim() });
    });
  });
}
