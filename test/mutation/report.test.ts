import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { forgetStale, type Mutant, type Report } from './incremental.ts';
import { documentOf, summarise, timeoutsOf } from './report.ts';
import results from './results.json' with { type: 'json' };

test('docs/mutation.md is what the results say', () => {
  expect(readFileSync('docs/mutation.md', 'utf8')).toBe(documentOf(results));
});

test('every room scores 90% or more, and every survivor is explained', () => {
  for (const [room, { mutants, survived }] of Object.entries(results)) {
    expect(survived.length / mutants, room).toBeLessThanOrEqual(0.1);
    expect(
      survived.filter((one) => !('why' in one)),
      room,
    ).toEqual([]);
  }
});

const source = 'const a = (\n  b + c\n);\n';
const mutant = (status: Mutant['status'], replacement: string, changes: Partial<Mutant> = {}): Mutant => ({
  mutatorName: 'ArithmeticOperator',
  status,
  replacement,
  location: { start: { line: 2, column: 3 }, end: { line: 2, column: 8 } },
  ...changes,
});

test('survivors are told from equivalent mutants by their explanation; what was not run does not count', () => {
  const mutants = [
    mutant('Killed', 'b - c'),
    mutant('Timeout', 'b / c'),
    mutant('Survived', 'b * c'),
    mutant('Survived', 'c + b'),
    mutant('NoCoverage', '', { location: { start: { line: 1, column: 11 }, end: { line: 3, column: 2 } } }),
    mutant('Ignored', '0'),
    mutant('RuntimeError', '1'),
  ];
  const { survived, equivalent, ...counts } = summarise(
    { files: { 'a.ts': { source, mutants } } },
    { 'a.ts': [{ line: 'b + c', mutant: ['b + c → c + b'], equivalent: 'a sum' }] },
  );
  expect(counts).toMatchObject({ mutants: 4, killed: 2, ignored: 1 });
  expect(survived).toEqual([
    { file: 'a.ts', line: 2, code: 'b + c', mutant: 'b + c → b * c' },
    { file: 'a.ts', line: 1, code: 'const a = (', mutant: '( b + c ) → nothing' },
  ]);
  expect(equivalent).toEqual([{ file: 'a.ts', line: 2, code: 'b + c', mutant: 'b + c → c + b', why: 'a sum' }]);
});

test('mutants that ran too long are listed, by the runner’s time or by a test’s', () => {
  const mutants = [
    mutant('Killed', 'b - c', { statusReason: 'expected 1 to be 2' }),
    mutant('Timeout', 'b / c'),
    mutant('Killed', 'b * c', { statusReason: 'Error: Test timed out in 20000ms.' }),
  ];
  expect(timeoutsOf({ files: { 'a.ts': { source, mutants } } })).toEqual([
    'a.ts:2 `b + c → b / c`',
    'a.ts:2 `b + c → b * c`',
  ]);
});

test('survivors are tried again, and mutants whose test has changed', async () => {
  const folder = await temporaryFolder();
  const [same, changed, path] = ['same.test.ts', 'changed.test.ts', 'report.json'].map((name) => join(folder, name));
  writeFileSync(same!, 'same');
  writeFileSync(changed!, 'after');
  const report: Report = {
    files: {
      'a.ts': {
        source,
        mutants: [
          mutant('Survived', '1'),
          mutant('Killed', '2', { killedBy: ['0'] }),
          mutant('Killed', '3', { killedBy: ['1'] }),
          mutant('Timeout', '4'),
        ],
      },
    },
    testFiles: {
      [same!]: { source: 'same', tests: [{ id: '0' }] },
      [changed!]: { source: 'before', tests: [{ id: '1' }] },
    },
  };
  writeFileSync(path!, JSON.stringify(report));
  forgetStale(path!);
  const { files } = JSON.parse(readFileSync(path!, 'utf8')) as Report;
  expect(files['a.ts']!.mutants.map(({ replacement }) => replacement)).toEqual(['2', '4']);
});
