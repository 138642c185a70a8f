import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const bench = fileURLToPath(new URL('../../bench/growth.mjs', import.meta.url));

test('the bench of growth measures each size and says how cost grows', { timeout: 120_000 }, async () => {
  const options = ['--only', 'metrics', '--most', '10'];
  const { stdout } = await promisify(execFile)(process.execPath, [bench, ...options]);
  const rows = stdout
    .split('\n')
    .filter((line) => /^\|.*\d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows.map(([, , size]) => size)).toEqual(['1', '10']);
  for (const [, , , seconds] of rows) expect(Number(seconds)).toBeGreaterThan(0);
  expect(rows[1]![4]).toMatch(/^-?\d+\.\d\d$/);
  expect(rows[1]![7]).toBe('11,990');
});
