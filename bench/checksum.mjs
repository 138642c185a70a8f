// What it costs to check each image of a packed file that is too large for memory against its CRC-32: microseconds of CPU an
// image, loaded with and without the check, in turn, at the sizes of CIFAR (32 pixels) and of photos (256), the file in the
// system's cache. CPU time, as a check takes no other, and other processes change it less.
//
//   npm run build && node bench/checksum.mjs [--rounds 40] [--json FILE]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import { openFiller } from '../dist/src/data/loader/fill.js';
import { machine, median } from './support/report.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '40' }, json: { type: 'string' } } });
const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
try {
  const sizes = [
    {
      side: 32,
      count: 8192,
      transforms: [
        { name: 'pad-crop', padding: 4, size: 32 },
        { name: 'flip', probability: 0.5 },
      ],
    },
    { side: 256, count: 256, transforms: [{ name: 'flip', probability: 0.5 }] },
  ].map(({ side, count, transforms }) => {
    const bytes = side * side * 3;
    const pixels = Buffer.alloc(count * bytes);
    for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 2654435761) >>> 24;
    const path = join(folder, `${side}.bin`);
    writeFileSync(path, pixels);
    const checksums = Uint32Array.from({ length: count }, (_, row) =>
      crc32(pixels.subarray(row * bytes, (row + 1) * bytes)),
    );
    const indices = Int32Array.from({ length: count }, (_, row) => row);
    const target = new Uint8Array(pixels.length);
    const shape = [side, side, 3];
    const microseconds = (isChecked) => {
      const source = { kind: 'file', path, offset: 0, ...(isChecked && { checksums }) };
      const filler = openFiller({ pixels: source, shape, transforms, seed: 0, epoch: 1 });
      const before = process.cpuUsage();
      filler.fill({ indices, positions: indices }, target);
      const { user, system } = process.cpuUsage(before);
      filler.close();
      return (user + system) / count;
    };
    for (let i = 0; i < 3; i++) microseconds(i % 2 === 0);
    const rounds = Array.from({ length: Number(values.rounds) }, (_, round) => {
      const first = microseconds(round % 2 === 0);
      const second = microseconds(round % 2 === 1);
      return round % 2 === 0 ? { checked: first, unchecked: second } : { checked: second, unchecked: first };
    });
    return {
      side,
      checked: median(rounds.map(({ checked }) => checked)),
      unchecked: median(rounds.map(({ unchecked }) => unchecked)),
      difference: median(rounds.map(({ checked, unchecked }) => checked - unchecked)),
    };
  });
  const report = { ...machine(), rounds: Number(values.rounds), sizes };
  for (const { side, checked, unchecked, difference } of sizes)
    console.error(
      `${side}×${side}: ${checked.toFixed(2)} µs an image, ${unchecked.toFixed(2)} without the check; the check ${difference.toFixed(2)}`,
    );
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
