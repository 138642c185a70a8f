import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { context } from '../../src/cli/context.ts';
import { createLoader } from '../../src/data/loader/loader.ts';
import { openPacked, writePacked } from '../../src/data/packed/packed.ts';
import type { Split } from '../../src/data/types.ts';
import { TailmixError } from '../../src/errors.ts';
import { type Random, randomStream } from '../../src/random.ts';
import { loadRuns } from '../../src/report/runs.ts';
import { readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { readSent, writeSent } from '../../src/tracking/spool/sent.ts';
import { openRun } from '../../src/trained/open.ts';
import { tailmix } from '../cli/run.ts';
import { leftBy } from '../kills/left.ts';
import { inTemporaryFolder } from '../support/temporary.ts';

const config = `name: bits
data: { name: blobs, ratio: 4, options: { samples: 40 }, workers: 0 }
model: { name: mlp, width: 4 }
train: { epochs: 2, batchSize: 16, step: eager }
plugins: [{ use: logit-adjustment, mode: post-hoc, tau: 1 }, { use: mlflow, every: 1 }]
`;

const folder = inTemporaryFolder();
const run = (): string => join(folder(), 'run');

/** Turns over one bit. */
function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[random.integer(copy.length)]! ^= 1 << random.integer(8);
  return copy;
}

/** Calls `look` with a bit of a file turned over, time and again; each time another. The file is as it was afterwards. */
async function withFlips(path: string, times: number, look: (number: number) => Promise<void>): Promise<void> {
  const bytes = await readFile(path);
  const random = randomStream(0, 'bits', path.slice(folder().length));
  for (let number = 0; number < times; number++) {
    await writeFile(path, flipped(bytes, random));
    await look(number);
  }
  await writeFile(path, bytes);
}

/** Files of a run directory. */
const filesOf = async (directory: string): Promise<string[]> =>
  (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** `refused`: with a message of its own; what it came to otherwise. */
async function outcomeOf<T>(work: () => Promise<T>): Promise<T | 'refused'> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TailmixError && error.code !== 'INTERNAL') return 'refused';
    throw error;
  }
}

const counts = new Map<string, Record<'refused' | 'right', number>>();
const count = (what: string, outcome: 'refused' | 'right'): void => {
  const sum = counts.get(what) ?? { refused: 0, right: 0 };
  sum[outcome]++;
  counts.set(what, sum);
};
afterEach(() => {
  for (const [what, { refused, right }] of counts) console.log(`${what}: ${refused} refused, ${right} right`);
  counts.clear();
});

describe('a bit that is turned over never makes another figure', { timeout: 600_000 }, () => {
  beforeAll(async () => {
    await writeFile(join(folder(), 'run.yaml'), config);
    const { code, stderr } = await tailmix(folder(), 'train', 'run.yaml', '--out', 'run');
    expect(code, stderr).toBe(0);
  });

  test('a checkpoint', async () => {
    const path = join(run(), 'checkpoints/epoch-0002.safetensors');
    const whole = await readCheckpoint(path);
    await withFlips(path, 500, async () => {
      const read = await outcomeOf(() => readCheckpoint(path));
      if (read !== 'refused') expect(read).toEqual(whole);
      count('checkpoint', read === 'refused' ? 'refused' : 'right');
    });
  });

  test('a packed file', async () => {
    const path = join(folder(), 'a.pack');
    const rows = async function* () {
      for (let row = 0; row < 20; row++)
        yield { path: `${row}.png`, label: row % 3, image: Uint8Array.from({ length: 12 }, (_, i) => row * 12 + i) };
    };
    await writePacked(path, { key: 'k', shape: [2, 2, 3] }, rows());
    const whole = await openPacked(path, 'k');
    await withFlips(path, 1000, async () => {
      const read = await openPacked(path, 'k');
      if (read !== null) expect(read).toEqual(whole);
      count('packed file', read === null ? 'refused' : 'right');
    });
  });

  test('a packed file that is too large for memory', async () => {
    const path = join(folder(), 'large.pack');
    const rows = async function* () {
      for (let row = 0; row < 20; row++)
        yield { path: `${row}.png`, label: row % 3, image: Uint8Array.from({ length: 300 }, (_, i) => row * 12 + i) };
    };
    await writePacked(path, { key: 'k', shape: [10, 10, 3] }, rows());
    const steps = [{ indices: Int32Array.from({ length: 20 }, (_, row) => row), positions: new Int32Array(20) }];
    const imagesNow = async () => {
      const opened = await openPacked(path, 'k', 0);
      if (opened === null) return 'refused';
      const { metadata, pixels, ...rest } = opened;
      const loader = createLoader({ shape: metadata.shape, augment: [], seed: 0, workers: 0 });
      const split: Split = { name: 'train', pixels, ...rest };
      for await (const { images } of loader.load(split, steps, 1, false))
        return [JSON.stringify(metadata), rest.labels, rest.hashes, images].join(' ');
    };
    const whole = await imagesNow();
    await withFlips(path, 500, async () => {
      const read = await outcomeOf(imagesNow);
      if (read !== 'refused') expect(read).toBe(whole);
      count('large packed file', read === 'refused' ? 'refused' : 'right');
    });
  });

  test('the spool, and how far a server has it', async () => {
    const path = join(run(), 'mlflow/spool.jsonl');
    const recordsNow = async (): Promise<string[]> => {
      const records: string[] = [];
      for await (const { record } of readSpool(run())) if (record) records.push(JSON.stringify(record));
      return records;
    };
    const whole = await recordsNow();
    const known = new Set(whole);
    await withFlips(path, 500, async () => {
      const read = await recordsNow();
      expect(read.filter((record) => !known.has(record))).toEqual([]);
      count('spool', read.length < whole.length ? 'refused' : 'right');
    });
    const state = { experimentId: '1', runId: 'r', artifactUri: 'a', sent: 1234, postponed: [], models: {} };
    await writeSent(run(), 'http://server', state);
    const sent = await readSent(run());
    await withFlips(join(run(), 'mlflow/sent.json'), 200, async () => {
      const read = await readSent(run());
      if (Object.keys(read).length > 0) expect(read).toEqual(sent);
      count('sent.json', Object.keys(read).length === 0 ? 'refused' : 'right');
    });
    await rm(join(run(), 'mlflow/sent.json'));
  });

  test('a report', async () => {
    const { runs } = await loadRuns([run()]);
    const whole = { ...runs[0]!, writtenAt: 0 };
    for (const file of await filesOf(run())) {
      await withFlips(file, 100, async () => {
        const loaded = await outcomeOf(() => loadRuns([run()]));
        const found = loaded === 'refused' ? undefined : loaded.runs[0];
        // What the notes say is left out.
        const known = found && found.notes.length === 0;
        if (known) expect({ ...found, writtenAt: 0 }).toEqual(whole);
        else if (found) expect(found.summary).toEqual(whole.summary);
        count(`report: ${file.slice(run().length + 1)}`, known ? 'right' : 'refused');
      });
    }
  });

  test('what predicts and is exported', async () => {
    const opened = async () => {
      const { snapshot, info, settings, options, exif, damaged } = await openRun(run(), context);
      // An older checkpoint is used, and that is said.
      if (damaged.length > 0) return 'refused';
      const { name, ...known } = info;
      // Plugins that observe decide no figure.
      const plugins = options.plugins?.map((entry) => JSON.stringify(entry));
      const deciding = plugins?.filter((entry) => !entry.includes('"spans":"run"'));
      return JSON.stringify([snapshot, known, settings, deciding, exif]);
    };
    const whole = await opened();
    for (const file of await filesOf(run())) {
      await withFlips(file, 12, async () => {
        const read = await outcomeOf(opened);
        if (read !== 'refused') expect(read).toBe(whole);
        count(`predict: ${file.slice(run().length + 1)}`, read === 'refused' ? 'refused' : 'right');
      });
    }
  });

  test('evaluate', async () => {
    const evaluated = () => tailmix(folder(), 'evaluate', 'run', '--json', '--strict');
    const whole = await evaluated();
    expect(whole.code).toBe(0);
    for (const file of await filesOf(run())) {
      await withFlips(file, 4, async () => {
        const { code, stdout, stderr } = await evaluated();
        expect(stderr).not.toMatch(/internal|\n {4}at /);
        if (code === 0) expect(stdout).toBe(whole.stdout);
        count(`evaluate: ${file.slice(run().length + 1)}`, code === 0 ? 'right' : 'refused');
      });
    }
  });

  test('a run that is resumed', async () => {
    const whole = await leftBy(run());
    const half = join(folder(), 'half');
    const again = join(folder(), 'again');
    await cp(run(), half, { recursive: true });
    for (const file of ['summary.json', 'checkpoints/epoch-0002.safetensors']) await rm(join(half, file));
    for (const file of await filesOf(half)) {
      const name = file.slice(half.length + 1);
      await withFlips(file, 4, async () => {
        await rm(again, { recursive: true, force: true });
        await cp(half, again, { recursive: true });
        const { code, stderr } = await tailmix(folder(), 'train', '--resume', 'again');
        expect(stderr).not.toMatch(/internal|\n {4}at /);
        if (code === 0) {
          const left = await leftBy(again);
          const labels = ({ 'summary.json': summary = '{}', ...rest }: typeof left) => {
            const { name, method, ...figures } = JSON.parse(summary);
            return { ...rest, 'summary.json': JSON.stringify(figures) };
          };
          // A name is no figure; a line of the spool that cannot be read is left out, and told when it is sent.
          const found = name.startsWith('mlflow/') ? { ...whole, ...left } : left;
          expect(labels(found)).toEqual(labels(whole));
        }
        count(`resume: ${name}`, code === 0 ? 'right' : 'refused');
      });
    }
  });
});
