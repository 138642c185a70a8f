import { existsSync } from 'node:fs';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, type Left, leftBy } from '../kills/left.ts';
import { writeTree } from '../support/image-tree.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { compileShim, type Fault, type Faulty, startFaulty } from './faulty.ts';

const [COUNT, BYTES] = [64, 48];

/** A data set whose pixels are read from a file while a run goes, as those of a packed file that is too large for memory. */
const stored = `import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { defineDataset } from 'tailmix';

const labels = Int32Array.from({ length: ${COUNT} }, (_, i) => (i % 4 === 0 ? 1 : 0));
const split = (name) => {
  const checksums = new Uint32Array(new SharedArrayBuffer(4 * labels.length));
  checksums.set(JSON.parse(readFileSync('checksums.json', 'utf8')));
  return { name, labels, pixels: { kind: 'file', path: 'pixels/all', offset: 0, checksums } };
};
const info = { name: 'stored', classes: ['many', 'few'], shape: [4, 4, 3], mean: [0.5, 0.5, 0.5], std: [1, 1, 1], fullCounts: [48, 16], testCount: 64 };
export default defineDataset({ name: 'stored', describe: () => info, read: async () => ({ info, train: split('train'), test: split('test') }) });
`;

/** Calls a function of the folder in the middle of epoch 2, once. */
const meddler = `import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { definePlugin, z } from 'tailmix';

export default definePlugin({
  name: 'meddler',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.onBatchEnd.tap('meddler', ({ epoch, stepInEpoch }) => {
      if (epoch !== 2 || stepInEpoch !== 1 || !existsSync('meddle')) return;
      rmSync('meddle');
      writeFileSync('pixels/all', Buffer.alloc(${COUNT * BYTES}, 7));
      renameSync('photos', 'photos.away');
      renameSync('others', 'photos');
    });
  },
});
`;

const config = (data: string): string => `name: data
data: { ${data}, workers: 0 }
model: { name: mlp, width: 2 }
train: { epochs: 2, batchSize: 16, step: eager }
plugins: [{ use: mixup }, { use: ./meddler.ts }]
`;

const shim = compileShim('no data set goes away under a run');

describe.skipIf(shim === null)(
  'data that go away, or become others, in the middle of a command',
  { timeout: 900_000 },
  () => {
    const folder = inTemporaryFolder();
    let faulty: Faulty;
    const whole: Record<string, Left> = {};
    const at = (name: string): string => join(folder(), name);
    const train = (name: string): string[] => ['train', `${name}.yaml`, '--out', 'run'];

    beforeAll(async () => {
      await writeTree(folder(), { photos: { bee: 36, wasp: 12 }, others: { bee: 36, wasp: 13 } }, [4, 4]);
      const pixels = Buffer.from(Uint8Array.from({ length: COUNT * BYTES }, (_, i) => (i * 89) & 255));
      const checksums = Array.from({ length: COUNT }, (_, i) => crc32(pixels.subarray(i * BYTES, (i + 1) * BYTES)));
      for (const [name, text] of Object.entries({
        'stored.ts': stored,
        'meddler.ts': meddler,
        'checksums.json': JSON.stringify(checksums),
        'stored.yaml': config('name: ./stored.ts'),
        'photos.yaml': config('name: image-folder, root: photos, imageSize: 4, onCorrupt: skip, split: { test: 0.25 }'),
        'sweep.yaml': 'name: sweep\nconfigs: [photos.yaml]\nseeds: [0]\n',
      }))
        await writeFile(at(name), text);
      await cp(at('photos'), at('pixels'), { recursive: true });
      await writeFile(at('pixels/all'), pixels);
      faulty = await startFaulty(folder(), shim!, { TAILMIX_CACHE: at('cache') });
      for (const name of ['photos', 'stored']) {
        const { code, stderr } = await faulty.run([
          'train',
          `${name}.yaml`,
          '--out',
          name === 'photos' ? 'trained' : name,
        ]);
        expect(code, stderr).toBe(0);
        whole[name] = await leftBy(at(name === 'photos' ? 'trained' : name));
      }
    });
    afterAll(() => faulty.stop());

    const back = async (place: string): Promise<void> => {
      if (!existsSync(at(`${place}.gone`))) return;
      await rm(at(place), { recursive: true, force: true });
      await rename(at(`${place}.gone`), at(place));
    };

    const faults = {
      'are moved away': { error: 'vanish', calls: 'all' },
      'may not be read': { error: 'EACCES', calls: 'all' },
      'cannot be read once': { error: 'EIO', lasting: false, calls: 'reads' },
      'are on a disk that is full': { error: 'ENOSPC' },
      'become read-only': { error: 'EROFS', calls: 'byName' },
    } satisfies Record<string, Omit<Fault, 'folder' | 'at'>>;

    test.each([
      ['photos', 'photos', 'are moved away', 24],
      ['photos', 'photos', 'may not be read', 24],
      ['photos', 'photos', 'cannot be read once', 24],
      ['photos', 'cache', 'are moved away', 6],
      ['photos', 'cache', 'may not be read', 6],
      ['photos', 'cache', 'become read-only', 2],
      ['stored', 'pixels', 'are moved away', 95],
      ['stored', 'pixels', 'may not be read', 95],
      ['stored', 'pixels', 'cannot be read once', 95],
    ] as const)(
      'train on %s: %s that %s: one message, and --resume ends equal to the bit',
      async (name, place, kind, few) => {
        const told: string[] = [];
        const every = Number(process.env.TAILMIX_FAULTS_EVERY ?? few);
        let tried = 0;
        for (let call = 1; ; call += every) {
          for (const made of ['run', ...(name === 'photos' ? ['cache'] : [])])
            await rm(at(made), { recursive: true, force: true });
          const outcome = await faulty.run(train(name), { folder: at(place), at: call, ...faults[kind] });
          if (outcome.failed === 0) break;
          tried++;
          await back(place);
          const { code, stderr, first } = outcome;
          const problems: string[] = [];
          if (/internal|\n {4}at /.test(stderr)) problems.push('a stack, or a fault of tailmix');
          if (code !== 0 && !stderr.includes(place)) problems.push('no place named');
          if (code !== 0) {
            const isBegun = existsSync(at('run/config.yaml'));
            const resumed = await faulty.run(isBegun ? ['train', '--resume', 'run'] : train(name));
            if (resumed.code !== 0) problems.push(`not resumed: ${resumed.stderr}`);
          }
          const left = await leftBy(at('run')).catch((error: Error) => ({ [error.message]: '' }));
          problems.push(...differences(whole[name]!, left));
          if (problems.length > 0) told.push(`${call} ${first}: rc ${code}: ${problems.join('; ')}\n${stderr}`);
        }
        console.log(`${name}: ${place} that ${kind}: ${tried} calls`);
        expect(tried).toBeGreaterThan(1);
        expect(told.join('\n')).toBe('');
      },
    );

    test.each([
      ['evaluate', ['evaluate', 'trained', '--json'], 'photos', 'are moved away', 40],
      ['evaluate', ['evaluate', 'trained', '--json'], 'cache', 'are moved away', 6],
      ['evaluate', ['evaluate', 'stored', '--json'], 'pixels', 'may not be read', 90],
      ['predict', ['predict', 'trained', 'photos/bee', '--json'], 'photos', 'are moved away', 40],
      ['predict', ['predict', 'trained', 'photos/bee', '--json'], 'photos', 'cannot be read once', 40],
    ] as const)(
      '%s (%s): %s that %s: one message, and afterwards the same figures',
      async (_, args, place, kind, few) => {
        const fresh = (): Promise<void> => rm(at('cache'), { recursive: true, force: true });
        await fresh();
        const first = await faulty.run(args);
        expect(first.code, first.stderr).toBe(0);
        const told: string[] = [];
        const every = Number(process.env.TAILMIX_FAULTS_EVERY ?? few);
        let tried = 0;
        for (let call = 1; ; call += every) {
          await fresh();
          const outcome = await faulty.run(args, { folder: at(place), at: call, ...faults[kind] });
          if (outcome.failed === 0) break;
          tried++;
          await back(place);
          const { code, stderr, stdout } = outcome;
          const problems: string[] = [];
          if (/internal|\n {4}at /.test(stderr)) problems.push('a stack, or a fault of tailmix');
          if (code !== 0 && !`${stderr}${stdout}`.includes(place)) problems.push('no place named');
          if (code === 0 && stdout !== first.stdout) problems.push(`other figures: ${stdout}`);
          const again = await faulty.run(args);
          if (again.code !== 0 || again.stdout !== first.stdout)
            problems.push(`afterwards: ${again.stderr}${again.stdout}`);
          if (problems.length > 0) told.push(`${call} ${outcome.first}: rc ${code}: ${problems.join('; ')}\n${stderr}`);
        }
        console.log(`${args[0]}: ${place} that ${kind}: ${tried} calls`);
        expect(tried).toBeGreaterThan(0);
        expect(told.join('\n')).toBe('');
      },
    );

    test.each([
      ['photos', 'are moved away', 40],
      ['swept', 'are on a disk that is full', 12],
    ] as const)(
      'sweep: %s that %s: the cause where it ends, and the next sweep ends equal to the bit',
      async (place, kind, few) => {
        const sweep = ['sweep', 'sweep.yaml', '--out', 'swept', '--json'];
        const told: string[] = [];
        const calls = process.env.TAILMIX_FAULTS_EVERY ? [1, few, 2 * few, 3 * few, 4 * few, 5 * few] : [few];
        for (const call of calls) {
          for (const made of ['swept', 'cache']) await rm(at(made), { recursive: true, force: true });
          const { code, stderr, failed } = await faulty.run(sweep, {
            folder: at(place),
            at: call,
            ...faults[kind],
          });
          if (call <= few) expect(failed).toBeGreaterThan(0);
          if (failed === 0) break;
          console.log(`sweep: ${place} that ${kind} from call ${call} on`);
          await back(place);
          if (code === 0 || !stderr.includes(place) || /internal|\n {4}at /.test(stderr))
            told.push(`${call}: ${code} ${stderr}`);
          const again = await faulty.run(sweep);
          if (again.code !== 0) told.push(`${call}: ${again.stderr}`);
          const [run] = JSON.parse(again.stdout);
          const left = await leftBy(at(run.directory));
          // It has a name of its own.
          const other = differences(whole.photos!, left).filter((name) => /^(tensor|metrics|point)/.test(name));
          told.push(...other.map((name) => `${call}: ${name} differs`));
        }
        expect(told.join('\n')).toBe('');
      },
    );

    test.each(['photos', 'stored'])(
      '%s that are replaced by others in the middle of a run are never mixed',
      async (name) => {
        const pixels = await readFile(at('pixels/all'));
        for (const made of ['run', 'cache']) await rm(at(made), { recursive: true, force: true });
        await writeFile(at('meddle'), '');
        const { code, stderr } = await faulty.run(train(name));
        expect(existsSync(at('meddle'))).toBe(false);
        const refused = await faulty.run(['evaluate', 'run']);
        const resumed = await faulty.run(['train', '--resume', 'run']);
        await writeFile(at('pixels/all'), pixels);
        await rename(at('photos'), at('others'));
        await rename(at('photos.away'), at('photos'));
        // What is in memory is what was taken; what is read as it is needed is checked.
        if (name === 'photos') expect(code, stderr).toBe(0);
        else
          expect([code, stderr]).toEqual([
            1,
            expect.stringMatching(/pixels\/all: expected image \d+ as it was packed/),
          ]);
        expect(`${refused.code} ${refused.stderr}`.replaceAll(folder(), '…')).toMatch(/OTHER|trained on|checksum/);
        expect(resumed.code).not.toBe(0);
        const again = await faulty.run(['train', '--resume', 'run']);
        expect(differences(whole[name]!, await leftBy(at('run'))), again.stderr).toEqual([]);
      },
    );
  },
);
