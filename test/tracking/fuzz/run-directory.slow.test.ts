import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { resolveConfig } from '../../../src/config/resolve.ts';
import { TailmixError } from '../../../src/errors.ts';
import { compareRuns } from '../../../src/report/compare.ts';
import { resultsCsv } from '../../../src/report/csv.ts';
import { resultsDocument } from '../../../src/report/document.ts';
import { loadRuns } from '../../../src/report/runs.ts';
import { formatResultsTable, markdownTables } from '../../../src/report/table.ts';
import { stateOf } from '../../../src/sweep/state.ts';
import { checkpointPath, findLatest, writeCheckpoint } from '../../../src/tracking/checkpoint.ts';
import { chooseCheckpoint } from '../../../src/tracking/choose-checkpoint.ts';
import { writeFileStore } from '../../../src/tracking/file-store/write.ts';
import { own } from '../../../src/tracking/ownership.ts';
import { findRun, readEpochs, readSummary } from '../../../src/tracking/run-directory.ts';
import { readSpool } from '../../../src/tracking/spool/read.ts';
import { readSent } from '../../../src/tracking/spool/sent.ts';
import { openSpool } from '../../../src/tracking/spool/write.ts';
import { defaults, registry } from '../../config/few-plugins.ts';
import { mutate, mutations } from '../../data/fuzz/mutations.ts';
import { writeSyntheticRun } from '../../report/synthetic-runs.ts';
import { spooledRun } from '../../support/spooled-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { snapshotAfter } from '../../support/tracked-run.ts';
import { countVerdicts, fuzzRuns } from '../../support/verdicts.ts';

const COUNT = fuzzRuns(250);
const context = { registry, defaults };

/** A run directory with all that one can hold. */
async function wholeRun(root: string) {
  const config = { name: 'run', data: { name: 'digits' }, model: { name: 'mlp' } };
  const { hash, resolved } = await resolveConfig(config, context);
  const run = await writeSyntheticRun(root, {
    method: 'ERM',
    seed: 1,
    tailLift: 0,
    classes: ['a', 'b', 'c'],
    epochs: 3,
    testPerClass: 5,
    summary: { configHash: hash },
  });
  await writeFile(join(run, 'config.yaml'), stringify(resolved));
  await writeFile(join(run, 'subset.json'), JSON.stringify({ dataset: 'digits', hash: 'f00', classCounts: [3, 2, 1] }));
  for (const epoch of [1, 2])
    await writeCheckpoint(checkpointPath(run, epoch), { ...snapshotAfter(epoch), configHash: hash });
  await spooledRun(run);
  await writeFile(
    join(run, 'mlflow/sent.json'),
    JSON.stringify({
      'http://x': { experimentId: '1', runId: 'r', artifactUri: 'u', sent: 100, postponed: [], models: {} },
    }),
  );
  await writeFile(
    join(run, 'owner.lock'),
    JSON.stringify({
      host: 'elsewhere',
      space: null,
      pid: 1,
      started: null,
      since: '2025-01-01T00:00:00Z',
      brief: false,
      id: 'x',
    }),
  );
  return { run, hash };
}

const odd = fc.constantFrom(
  'null',
  '[]',
  '{}',
  '""',
  '0',
  '-1e999',
  '{"__proto__":{"polluted":1}}\n',
  '{"constructor":{"prototype":{"polluted":1}}}\n',
  '{"type":"run"}\n',
  '{"epoch":1}\n',
  '{"classes":{"length":1e9}}',
  '&a [*a]',
  'plugins: {use: }',
  '\ufeff',
  '\0\0\0\0',
  'x'.repeat(70_000),
  '['.repeat(50_000),
);
const changes = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('mutate' as const), file: fc.nat(), mutations }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('swap' as const), file: fc.nat(), other: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('odd' as const), file: fc.nat(), text: odd }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), file: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('folder' as const), file: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('key' as const), file: fc.nat(), at: fc.nat(), value: fc.jsonValue() }),
    },
  ),
  { minLength: 1, maxLength: 2 },
);

/** Puts a value in the place of one inside a text of JSON, or of the first line of it. */
function withValue(text: string, at: number, value: unknown): string {
  const [first = '', ...rest] = text.startsWith('{"') ? text.split('\n') : [text];
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      places.push({ holder: node as Record<string, unknown>, key });
      visit(child);
    }
  };
  try {
    const tree: unknown = JSON.parse(first);
    visit(tree);
    const place = places[at % places.length]!;
    place.holder[place.key] = value;
    return [JSON.stringify(tree), ...rest].join('\n');
  } catch {
    return text;
  }
}

it(`${COUNT} run directories that are damaged at random: every reader takes what it can, or says what is wrong`, {
  timeout: 600_000,
}, async () => {
  const base = await temporaryFolder();
  const { run: whole, hash } = await wholeRun(join(base, 'whole'));
  const files = (await readdir(whole, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(whole.length + 1))
    .sort();
  const bytes = await Promise.all(files.map((file) => readFile(join(whole, file))));
  const verdicts = countVerdicts('run directories at random');
  const run = join(base, 'runs', 'run');
  await cp(whole, run, { recursive: true });
  /** Files that the case before changed. */
  let last: number[] = [];
  const at = (index: number): number => index % files.length;
  await fc.assert(
    fc.asyncProperty(changes, async (list) => {
      await rm(join(base, 'store'), { recursive: true, force: true });
      const written = ['mlflow/spool.jsonl', 'owner.lock'].map((file) => files.indexOf(file));
      for (const file of new Set([...last, ...written])) {
        await rm(join(run, files[file]!), { recursive: true, force: true });
        await writeFile(join(run, files[file]!), bytes[file]!);
      }
      last = list.map((change) => at(change.file));
      for (const change of list) {
        const path = join(run, files[at(change.file)]!);
        await rm(path, { recursive: true, force: true });
        if (change.kind === 'folder') await mkdir(path);
        if (change.kind === 'odd') await writeFile(path, change.text);
        if (change.kind === 'swap') await writeFile(path, bytes[at(change.other)]!);
        if (change.kind === 'mutate') await writeFile(path, mutate(bytes[at(change.file)]!, change.mutations));
        if (change.kind === 'key')
          await writeFile(path, withValue(String(bytes[at(change.file)]!), change.at, change.value));
      }
      const before = await readdir(run);
      await verdicts.of('report', async () => {
        const comparison = compareRuns(await loadRuns([join(base, 'runs')]));
        const texts = [
          resultsCsv(comparison),
          markdownTables(comparison),
          formatResultsTable(comparison),
          JSON.stringify(resultsDocument(comparison)),
        ];
        for (const text of texts) expect(text).not.toMatch(/\bundefined\b|\[object/);
      });
      await verdicts.of('epochs', () => readEpochs(run));
      await verdicts.of('summary', () => readSummary(run));
      await verdicts.of('newest checkpoint', () => findLatest(run));
      await verdicts.of('checkpoint 1', () => chooseCheckpoint(run, { checkpoint: '1' }));
      await verdicts.of('sweep', () => stateOf({ directory: run, hash } as Parameters<typeof stateOf>[0], context));
      await verdicts.of('found', () => findRun('run', join(base, 'runs')));
      await verdicts.of('sent', () => readSent(run));
      await verdicts.of('spool', async () => {
        for await (const _ of readSpool(run));
      });
      if (last.some((file) => files[file]!.startsWith('mlflow/')))
        await verdicts.of('mlflow export', () => writeFileStore(join(base, 'store'), [run]));
      expect(await readdir(run)).toEqual(before);
      // From here on the readers write, as a run that is resumed does.
      await verdicts.of('spool gone on with', () => {
        const spool = openSpool(
          run,
          () => {
            throw new TailmixError('new', { code: 'NEW' });
          },
          (error) => {
            throw error;
          },
        );
        spool.metrics(99, { loss: 1 });
        spool.close();
      });
      await verdicts.of('owner', async () => (await own(run, { takeOver: true })).release());
      expect((await readdir(base)).filter((name) => name !== 'store').sort()).toEqual(['runs', 'whole']);
    }),
    { numRuns: COUNT, seed: 18 },
  );
  verdicts.tell();
  expect(verdicts.refused()).toBeGreaterThan(COUNT / 2);
});
