// A program that a bench measures beside others: it answers each line with one line of JSON and is idle in between.
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';

/**
 * Starts a peer and waits for its first line, what it says of itself; what it does `without` is told on standard error.
 *
 * @param {string} name - for messages and reports
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [env] - variables beside the process's own
 * @returns {Promise<{ name: string, said: any, ask: (line: string) => Promise<any>, close: () => void }>}
 */
export async function openPeer(name, program, args, env = {}) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let errors = '';
  child.stderr.on('data', (text) => {
    process.stderr.write(text);
    errors = `${errors}${text}`.slice(-10_000);
  });
  // A program that is gone takes no more lines.
  child.stdin.on('error', () => {});
  const ended = new Promise((resolve) => {
    child.on('error', ({ message }) => resolve(message));
    child.on('close', (code, signal) => resolve(`exit code ${code ?? signal}`));
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) {
      const how = await ended;
      const said = errors.split('\n').findLast((line) => /^\S*(Error|Exception)\b.*:/.test(line)) ?? '';
      throw new Error(`${name} ended without an answer (${how})${said && `: ${said}`}`);
    }
    return JSON.parse(value);
  };
  const said = await next();
  for (const lack of said.without ?? []) console.error(`CAUTION: ${name} is measured ${lack}`);
  const ask = (line) => {
    child.stdin.write(`${line}\n`);
    return next();
  };
  return { name, said, ask, close: () => child.stdin.end('quit\n') };
}
