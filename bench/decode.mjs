// JPEG files to random-resized-crops of 224 x 224, on one core: tailmix against Pillow with torchvision, and against
// tf.node.decodeImage with tf.image.cropAndResize, on the same generated photographs (support/photos.mjs), in turns. tailmix in parts: a
// first view, decoded to 256 x 256 as it is packed and cut from that; packing alone, to the file on disk; and a later
// view, which is cut from the packed file. A training packs once and cuts in each epoch, where the others decode in each: what
// it takes of all is computed. What libjpeg-turbo takes to decode, and to decode at the smallest size that covers 256 x 256, is the
// limit of any reader. In between: JPEG files of 256 x 256, which a packed file could hold in place of pixels. Each is a process of its own, held on one core by `taskset`; images a second are of its processor time. Prints a table, or JSON.
//
//   npm run build && node bench/decode.mjs [--sizes 800x600,2048x1536,4032x3024] [--images 24] [--rounds 5] [--epochs 10]
//     [--core 0] [--python python3] [--json FILE]      (--python '' leaves out what needs PyTorch)
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { openFiller } from '../dist/src/data/loader/fill.js';
import { decodeFiles } from '../dist/src/data/packed/decode.js';
import { openPacked, writePacked } from '../dist/src/data/packed/packed.js';
import { drawBox, openAugment } from '../dist/src/data/transforms/augment.js';
import { randomField } from '../dist/src/random.js';
import { openPeer } from './support/peer.mjs';
import { writePhotos } from './support/photos.mjs';
import { machine, median } from './support/report.mjs';

const option = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({
  options: {
    sizes: option('800x600,2048x1536,4032x3024'),
    images: option('24'),
    rounds: option('5'),
    epochs: option('10'),
    core: option('0'),
    python: option('python3'),
    json: { type: 'string' },
    child: { type: 'string' },
    files: { type: 'string' },
  },
});
/** Seconds that passes are repeated for: one of a few crops would measure how code warms up. */
const AT_LEAST = 0.5;
const PACKED = [256, 256, 3];
/** Of the JPEG files that a packed file could hold in place of pixels. */
const KEPT_QUALITY = 90;
const SHAPE = [224, 224, 3];
const crop = { name: 'random-resized-crop', scale: [0.08, 1], ratio: [3 / 4, 4 / 3] };
const options = { shape: PACKED, resize: { interpolation: 'bilinear' }, onCorrupt: 'error' };
const listOf = (files) => ({ folder: 'photos', files: files.map(({ path }) => ({ path, label: 0 })) });

const pack = (files, path) =>
  writePacked(
    path,
    { key: 'bench', shape: PACKED },
    decodeFiles(listOf(files), options, () => {}),
  );

/** What a child does in a pass over its files. */
const passes = {
  async first(files) {
    sharp.concurrency(1);
    const image = new Uint8Array(224 * 224 * 3);
    const pass = async (epoch) => {
      const augment = openAugment([crop], PACKED, 0, epoch, { target: SHAPE });
      let position = 0;
      for await (const row of decodeFiles(listOf(files), options, () => {}))
        augment(row.image, 0, image, 0, position++);
    };
    return { version: `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}`, pass };
  },
  async pack(files, folder) {
    sharp.concurrency(1);
    return { version: `sharp ${sharp.versions.sharp}`, pass: () => pack(files, join(folder, 'packed.pack')) };
  },
  async kept(files) {
    sharp.concurrency(1);
    const packed = [];
    for await (const { image } of decodeFiles(listOf(files), options, () => {})) {
      const raw = { width: PACKED[1], height: PACKED[0], channels: 3 };
      packed.push(await sharp(image, { raw }).jpeg({ quality: KEPT_QUALITY }).toBuffer());
    }
    const image = new Uint8Array(224 * 224 * 3);
    const pass = async (epoch) => {
      const augment = openAugment([crop], PACKED, 0, epoch, { target: SHAPE });
      const decoded = await Promise.all(packed.map((bytes) => sharp(bytes).raw().toBuffer()));
      for (const [position, pixels] of decoded.entries()) augment(pixels, 0, image, 0, position);
    };
    const bytes = packed.reduce((sum, { length }) => sum + length, 0) / packed.length;
    return { version: `${Math.round(bytes)} bytes an image, packed ${PACKED.reduce((a, b) => a * b)}`, pass };
  },
  async later(files, folder) {
    const path = join(folder, `${files.length}.pack`);
    await pack(files, path);
    const { pixels } = await openPacked(path, 'bench', 0);
    const images = new Uint8Array(files.length * 224 * 224 * 3);
    const indices = Int32Array.from(files.keys());
    const pass = async (epoch) => {
      const source = { ...pixels, shape: PACKED };
      const filler = openFiller({ pixels: source, shape: SHAPE, transforms: [crop], seed: 0, epoch });
      filler.fill({ indices, positions: indices }, images);
      filler.close();
    };
    return { version: `node ${process.version}`, pass };
  },
  async tensorflow(files) {
    const { loadBackend } = await import('../dist/src/backend/load.js');
    const { requireFromTfjsNode } = await import('../dist/src/backend/native.js');
    const { tensorflow } = await loadBackend('native');
    const { decodeImage } = requireFromTfjsNode('dist/image');
    const { default: tf } = await import('@tensorflow/tfjs');
    const pass = async (epoch) => {
      const random = randomField('bench', 'box', epoch);
      for (const [i, { path }] of files.entries())
        tf.tidy(() => {
          const image = decodeImage(readFileSync(path), 3);
          const [height, width] = image.shape;
          const box = drawBox(image.shape, crop, (draw) => random(i, draw));
          const corners = [
            box.top / (height - 1),
            box.left / (width - 1),
            (box.top + box.height - 1) / (height - 1),
            (box.left + box.width - 1) / (width - 1),
          ];
          const cut = tf.image.cropAndResize(image.expandDims(), [corners], [0], [224, 224]).dataSync();
          if (cut.length !== 224 * 224 * 3) throw new Error('expected a crop of 224 x 224');
        });
    };
    return { version: `TensorFlow ${tensorflow}`, pass };
  },
};

async function serve() {
  const files = JSON.parse(readFileSync(values.files, 'utf8'));
  const { version, pass } = await passes[values.child](files, join(values.files, '..'));
  const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
  say({ version });
  let epoch = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'quit') break;
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    const seconds = () => (performance.now() - start) / 1000;
    let passes = 0;
    while (passes === 0 || seconds() < AT_LEAST) {
      await pass(++epoch);
      passes++;
    }
    const { user, system } = process.cpuUsage(cpu);
    say({ seconds: seconds() / passes, cpuSeconds: (user + system) / 1e6 / passes });
  }
  process.exit(0);
}

/** A peer on the bench's core. */
async function open(name, program, args) {
  const single = { TF_NUM_INTRAOP_THREADS: '1', OMP_NUM_THREADS: '1' };
  const peer = await openPeer(name, 'taskset', ['-c', values.core, program, ...args], single);
  return { ...peer, version: peer.said.version, pass: () => peer.ask('pass') };
}

async function measure(folder, size) {
  const [width, height] = size.split('x').map(Number);
  const photos = await writePhotos(folder, { count: Number(values.images), width, height });
  const list = join(folder, `${size}.json`);
  writeFileSync(list, JSON.stringify(photos));
  const own = (child) => [process.execPath, [fileURLToPath(import.meta.url), '--child', child, '--files', list]];
  const script = fileURLToPath(new URL('pytorch_decode.py', import.meta.url));
  const python = (mode) => [values.python, [script, '--mode', mode, '--files', list, '--seconds', String(AT_LEAST)]];
  const peers = [];
  for (const [name, [program, args]] of Object.entries({
    'tailmix, first view: decode, crop': own('first'),
    'tailmix packs: decode, write': own('pack'),
    'tailmix, later views: crop': own('later'),
    'JPEG of 256 x 256 kept: decode, crop': own('kept'),
    'Pillow, torchvision': python('crop'),
    'tf.node.decodeImage, cropAndResize': own('tensorflow'),
    'limit: libjpeg-turbo decodes': python('full'),
    'limit: libjpeg-turbo, scaled': python('scaled'),
    'limit: the same, torchvision crops': python('draft'),
  }))
    if (values.python !== '' || program === process.execPath) peers.push(await open(name, program, args));
  for (const { pass } of peers) await pass();
  const rounds = peers.map(() => []);
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [i, { pass }] of peers.entries()) rounds[i].push(await pass());
  for (const peer of peers) peer.close();
  const rates = rounds.map((own) => median(own.map(({ cpuSeconds }) => photos.length / cpuSeconds)));
  const epochs = Number(values.epochs);
  const [first, packing, later] = rates;
  const training = epochs / (1 / packing + epochs / later);
  const ratios = (rate) => ({
    firstViewIsFaster: first / rate,
    laterViewIsFaster: later / rate,
    trainingIsFaster: training / rate,
  });
  const rows = peers.map(({ name, version }, i) => ({
    name,
    version,
    imagesPerCpuSecond: rates[i],
    imagesPerSecond: median(rounds[i].map(({ seconds }) => photos.length / seconds)),
    ...ratios(rates[i]),
    rounds: rounds[i],
  }));
  const name = `tailmix, ${epochs} epochs (computed)`;
  rows.splice(3, 0, { name, version: '', imagesPerCpuSecond: training, ...ratios(training) });
  return {
    size,
    images: photos.length,
    bytesPerPixel: photos.reduce((sum, { bytes }) => sum + bytes, 0) / photos.length / width / height,
    epochs,
    rows,
  };
}

const times = (ratio) => `${ratio.toFixed(2)}×`;

if (values.child !== undefined) await serve();
const folder = mkdtempSync(join(tmpdir(), 'tailmix-bench-'));
try {
  const report = { ...machine(), sizes: [] };
  for (const size of values.sizes.split(',')) report.sizes.push(await measure(folder, size));
  console.error(`${report.cpu}, ${report.cores} cores, one used, load ${report.load.toFixed(1)}, Node ${report.node}`);
  for (const { size, images, bytesPerPixel, epochs, rows } of report.sizes) {
    console.error(`\n${images} photographs of ${size}, ${bytesPerPixel.toFixed(2)} bytes a pixel`);
    for (const row of rows)
      console.error(
        `${row.name.padEnd(36)} ${row.imagesPerCpuSecond.toFixed(0).padStart(6)} images/s  first view ${times(row.firstViewIsFaster)}, later ${times(row.laterViewIsFaster)}, ${epochs} epochs ${times(row.trainingIsFaster)}  ${row.version}`,
      );
  }
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  else console.log(JSON.stringify(report));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
