import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { openPacked, type Packed, type PackedRow, writePacked } from '../../src/data/packed/packed.ts';
import { temporaryFolder } from '../support/temporary.ts';

const shape = [2, 3, 1] as const;
const BYTES = 6;
// python3 -c 'import zlib; print([hex(zlib.crc32(bytes(range(10 * r, 10 * r + 6)))) for r in range(4)])'
const CRCS = [0x30ebcf4a, 0x2bbbaf20, 0xbee74f3, 0xf6c676a0];

async function* rows(labels: readonly number[]): AsyncGenerator<PackedRow> {
  for (const [row, label] of labels.entries()) {
    const image = label < 0 ? null : Uint8Array.from({ length: BYTES }, (_, i) => row * 10 + i);
    yield { path: `${row}.png`, label, image };
  }
}

async function written(labels: readonly number[] = [0, 2, 1, 2]): Promise<string> {
  const path = join(await temporaryFolder(), 'a.pack');
  await writePacked(path, { key: 'k', shape }, rows(labels));
  return path;
}

function pixelsOf({ pixels }: Packed): Uint8Array {
  if (pixels.kind !== 'memory') throw new Error('expected pixels in memory');
  return new Uint8Array(pixels.bytes).slice();
}

describe('a packed file', () => {
  test('gives back rows, labels, metadata', async () => {
    const packed = (await openPacked(await written(), 'k'))!;
    expect([...packed.labels]).toEqual([0, 2, 1, 2]);
    expect([...pixelsOf(packed)]).toEqual([0, 10, 20, 30].flatMap((first) => [0, 1, 2, 3, 4, 5].map((i) => first + i)));
    expect(packed.metadata).toMatchObject({ key: 'k', shape: [2, 3, 1], count: 4, skipped: [] });
  });

  test('has the published layout', async () => {
    const path = await written();
    const bytes = await readFile(path);
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('TAILMIX\n');
    expect(bytes.readUInt32LE(8)).toBe(5);
    expect(bytes.subarray(12, 4096).every((byte) => byte === 0)).toBe(true);
    expect([...bytes.subarray(4096 + BYTES, 4096 + BYTES + 3)]).toEqual([10, 11, 12]);
    const labelsAt = 4096 + 4 * BYTES;
    expect([0, 1, 2, 3].map((row) => bytes.readInt32LE(labelsAt + 4 * row))).toEqual([0, 2, 1, 2]);
    const footer = bytes.subarray(-52);
    const hashesAt = labelsAt + 4 * 4;
    for (const row of [0, 1, 2, 3]) {
      const pixels = bytes.subarray(4096 + row * BYTES, 4096 + (row + 1) * BYTES);
      const own = createHash('sha256').update(pixels).digest().subarray(0, 16);
      expect(bytes.subarray(hashesAt + 16 * row, hashesAt + 16 * (row + 1))).toEqual(own);
    }
    const checksumsAt = hashesAt + 4 * 16;
    expect([0, 1, 2, 3].map((row) => bytes.readUInt32LE(checksumsAt + 4 * row))).toEqual(CRCS);
    const lengthsAt = checksumsAt + 4 * 4;
    expect([0, 1, 2, 3].map((row) => bytes.readUInt32LE(lengthsAt + 4 * row))).toEqual([BYTES, BYTES, BYTES, BYTES]);
    const metadataAt = lengthsAt + 4 * 4;
    const metadata = bytes.subarray(metadataAt, metadataAt + footer.readUInt32LE(0));
    expect(JSON.parse(metadata.toString())).toEqual({
      key: 'k',
      shape: [2, 3, 1],
      count: 4,
      imagesSha256: createHash('sha256').update(bytes.subarray(4096, labelsAt)).digest('hex'),
      skipped: [],
      reasons: [],
    });
    expect(footer.readUInt32LE(4)).toBe(4);
    expect(footer.readUInt32LE(8)).toBe(5);
    const hash = createHash('sha256')
      .update(bytes.subarray(labelsAt, bytes.length - 52))
      .digest('hex');
    expect(footer.subarray(12, 44).toString('hex')).toBe(hash);
    expect(footer.subarray(44).toString('latin1')).toBe('TAILMIX\n');
    expect(metadataAt + metadata.length + 52).toBe(bytes.length);
  });

  test('names what was left out', async () => {
    const { labels, metadata } = (await openPacked(await written([1, -1, 0, -1]), 'k'))!;
    expect([...labels]).toEqual([1, 0]);
    expect(metadata.skipped).toEqual(['1.png', '3.png']);
  });

  test('stays on disk above the memory limit', async () => {
    const path = await written();
    expect((await openPacked(path, 'k', 4 * BYTES))!.pixels.kind).toBe('memory');
    const checksums = Uint32Array.from(CRCS);
    expect((await openPacked(path, 'k', 4 * BYTES - 1))!.pixels).toEqual({
      kind: 'file',
      path,
      offset: 4096,
      checksums,
    });
  });

  test('of another key, or that is not there, is none', async () => {
    const path = await written();
    expect(await openPacked(path, 'other')).toBeNull();
    expect(await openPacked(`${path}.none`, 'k')).toBeNull();
  });

  test('cut off at any length is none', async () => {
    const path = await written();
    const whole = await readFile(path);
    const lengths = [
      0,
      1,
      8,
      4095,
      4096,
      4097,
      whole.length - 53,
      whole.length - 52,
      whole.length - 8,
      whole.length - 1,
    ];
    for (const length of lengths) {
      await writeFile(path, whole.subarray(0, length));
      expect(await openPacked(path, 'k'), `${length} bytes`).toBeNull();
    }
    await writeFile(path, Buffer.concat([whole, Buffer.alloc(1)]));
    expect(await openPacked(path, 'k')).toBeNull();
  });

  test('with any bit altered behind its head is none', async () => {
    const path = await written();
    const whole = await readFile(path);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 4096 * 8, max: whole.length * 8 - 1 }), async (bit) => {
        const altered = Buffer.from(whole);
        altered[bit >> 3]! ^= 1 << (bit & 7);
        await writeFile(path, altered);
        expect(await openPacked(path, 'k')).toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  test('beyond one write buffer', async () => {
    const path = join(await temporaryFolder(), 'big.pack');
    const image = new Uint8Array(1_500_000).map((_, i) => i % 251);
    async function* large(): AsyncGenerator<PackedRow> {
      for (let label = 0; label < 5; label++) yield { path: '', label, image };
    }
    await writePacked(path, { key: 'k', shape: [500, 1000, 3] }, large());
    const pixels = pixelsOf((await openPacked(path, 'k'))!);
    expect(pixels).toHaveLength(7_500_000);
    expect(Buffer.compare(pixels.subarray(6_000_000), image)).toBe(0);
  });
});

describe('writePacked', () => {
  test('that fails leaves nothing behind, and an older file as it was', async () => {
    const path = await written();
    const before = await readFile(path);
    async function* failing(): AsyncGenerator<PackedRow> {
      yield* rows([0]);
      throw new Error('no more');
    }
    await expect(writePacked(path, { key: 'k', shape }, failing())).rejects.toThrow('no more');
    expect(await readdir(join(path, '..'))).toEqual(['a.pack']);
    expect(await readFile(path)).toEqual(before);
  });

  test('removes what a killed process left an hour ago, not what one is writing', async () => {
    const path = await written();
    const folder = join(path, '..');
    const [old, young, other, foreign] = [
      `a.pack.${randomUUID()}.tmp`,
      `a.pack.${randomUUID()}.tmp`,
      `of-another-key.pack.${randomUUID()}.tmp`,
      'notes.tmp',
    ];
    const past = Date.now() / 1000 - 3700;
    for (const name of [old, young, other, foreign]) {
      await writeFile(join(folder, name), Buffer.alloc(100));
      if (name !== young) await utimes(join(folder, name), past, past);
    }
    // The clock of the disk counts, not that of this machine.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7_200_000 });
    await writePacked(path, { key: 'k', shape }, rows([0]));
    vi.useRealTimers();
    expect((await readdir(folder)).sort()).toEqual(['a.pack', young, foreign]);
  });

  test('that is killed leaves no file of the name, and what it wrote is never opened', async () => {
    const path = join(await temporaryFolder(), 'a.pack');
    const script = fileURLToPath(new URL('./fixtures/killed-packing.ts', import.meta.url));
    const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
    const child = spawn(process.execPath, [jiti, script, path, 'k']);
    const [said] = await once(child.stdout, 'data');
    expect(String(said)).toBe('packing\n');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const [left, ...others] = await readdir(join(path, '..'));
    expect([left, others]).toEqual([expect.stringMatching(/^a\.pack\..*\.tmp$/), []]);
    expect((await readFile(join(path, '..', left!))).length).toBeGreaterThan(2 ** 22);
    expect(await openPacked(path, 'k')).toBeNull();
    expect(await openPacked(join(path, '..', left!), 'k')).toBeNull();
    await writePacked(path, { key: 'k', shape }, rows([0, 1]));
    expect([...(await openPacked(path, 'k'))!.labels]).toEqual([0, 1]);
  });
});
