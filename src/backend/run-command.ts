import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import process from 'node:process';

/** How a command ended. */
export interface Ended {
  /** Exit code; `null` if a signal ended it or it could not be started. */
  code: number | null;
  stdout: string;
  /** Standard error, or why the command could not be started. */
  stderr: string;
}

/** Runs a command to its end without a shell. Never rejects. */
export function runCommand(
  [command, ...args]: [string, ...string[]],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (error) => resolve({ code: null, stdout, stderr: error.message }));
    child.on('close', (code, signal) => {
      resolve({ code, stdout, stderr: signal === null ? stderr : `${stderr}\nended by ${signal}` });
    });
  });
}

/** Absolute path of the first of `commands` that `PATH` holds, or `null`. */
export async function findCommand(commands: string[], env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const command of commands) {
    const candidates = isAbsolute(command) ? [command] : folders.map((folder) => join(folder, command));
    for (const candidate of candidates) {
      const usable = await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (usable) return candidate;
    }
  }
  return null;
}

/** The last lines of a command's output that hold text, joined for one line of a message. */
export function lastLines(output: string, count = 1): string {
  return output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(-count)
    .join(' | ');
}
