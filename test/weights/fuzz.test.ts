import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { TailmixError } from '../../src/errors.ts';
import { randomStream } from '../../src/random.ts';
import { openWeights } from '../../src/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = new URL('fixtures/', import.meta.url).pathname;
const FILES = Number(process.env.TAILMIX_FUZZ ?? 2000);

/** Reads all arrays: how many numbers, or the code of the refusal. */
async function outcomeOf(path: string): Promise<number | string> {
  try {
    const file = await openWeights(path);
    try {
      let numbers = 0;
      for (const name of file.arrays.keys()) numbers += (await file.read(name)).length;
      return numbers;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof TailmixError) return error.code;
    throw error;
  }
}

test(
  `${FILES} mutated files are refused or read within their size`,
  async () => {
    const own = await temporaryFolder();
    const sources = readdirSync(folder).filter((name) => /\.(pth|safetensors)$/.test(name));
    const whole = await Promise.all(sources.map((name) => readFile(join(folder, name))));
    const random = randomStream(0, 'fuzz', 'weights');
    const counts = { read: 0, refused: 0 };
    const path = join(own, 'mutated');
    for (let i = 0; i < FILES; i++) {
      const bytes = Buffer.from(whole[i % whole.length]!);
      for (let change = random.integer(4) + 1; change > 0; change--) {
        const at = random.integer(bytes.length);
        const kind = random.integer(4);
        if (kind === 0) bytes[at]! ^= 1 << random.integer(8);
        else if (kind === 1) bytes[at] = random.integer(256);
        else if (kind === 2)
          bytes.fill(random.integer(2) * 255, at, Math.min(at + random.integer(8) + 1, bytes.length));
        else bytes.copy(bytes, at, random.integer(bytes.length), random.integer(bytes.length) + 1);
      }
      await writeFile(path, bytes);
      const outcome = await outcomeOf(path);
      if (typeof outcome === 'number') {
        counts.read++;
        expect(outcome).toBeLessThanOrEqual(bytes.length * 8);
      } else {
        counts.refused++;
        expect(outcome).toMatch(/^WEIGHTS_(DAMAGED|FORMAT|REFUSED)$/);
      }
    }
    expect(counts.read + counts.refused).toBe(FILES);
    expect(counts.refused).toBeGreaterThan(FILES / 4);
    expect(Object.keys(Object.prototype)).toEqual([]);
    console.log(`weights: ${counts.refused} refused, ${counts.read} read`);
  },
  60_000 + 20 * FILES,
);
