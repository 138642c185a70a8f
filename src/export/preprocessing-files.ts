import { readFile } from 'node:fs/promises';
import type { TrainedRun } from '../trained/open.ts';
import type { ExportedFile } from './files.ts';
import { photoGeometry } from './geometry.ts';
import type { Preprocessing } from './preprocess.ts';

/** Compiled modules that become one, in the order of what they use; the last is the one that is exported. */
const PARTS = ['data/transforms/resample.js', 'data/transforms/photo.js', 'export/preprocess.js'];
const compiled = new URL(import.meta.url.endsWith('.ts') ? '../../dist/src/' : '../', import.meta.url);

/** What makes the network's input of a picture; none for images that are no pictures. */
export async function preprocessingFiles({ info, exif }: Pick<TrainedRun, 'info' | 'exif'>): Promise<ExportedFile[]> {
  const geometry = photoGeometry(info);
  if (geometry === null) return [];
  const { cover, interpolation, shape } = geometry;
  const preprocessing: Preprocessing = {
    version: 2,
    exif,
    colour: 'srgb',
    cover,
    interpolation,
    shape,
    normalisation: { where: 'model', mean: info.mean, std: info.std },
  };
  return [
    { path: 'preprocess.mjs', content: await preprocessModule() },
    { path: 'preprocessing.json', content: `${JSON.stringify(preprocessing, null, 2)}\n` },
  ];
}

/** One module of several: without imports of each other, and with the exports of the last alone. */
async function preprocessModule(): Promise<string> {
  const texts = await Promise.all(PARTS.map((path) => readFile(new URL(path, compiled), 'utf8')));
  const parts = texts.map((text, i) => {
    const body = text.replace(/^import .*;\n/gm, '').replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');
    return i === PARTS.length - 1 ? body : body.replace(/^export /gm, '');
  });
  return parts.join('\n');
}
