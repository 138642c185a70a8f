import { readFile } from 'node:fs/promises';
import type { TrainedRun } from '../trained/open.ts';
import type { ExportedFile } from './files.ts';
import { photoGeometry } from './geometry.ts';
import type { Preprocessing } from './preprocess.ts';

/** The compiled module: what it is exported as must run without tailmix. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/src/export/preprocess.js' : './preprocess.js',
  import.meta.url,
);

/** What makes the network's input of a picture; none for images that are no pictures. */
export async function preprocessingFiles({ info, exif }: Pick<TrainedRun, 'info' | 'exif'>): Promise<ExportedFile[]> {
  const geometry = photoGeometry(info);
  if (geometry === null) return [];
  const { cover, shape } = geometry;
  const preprocessing: Preprocessing = {
    version: 1,
    exif,
    colour: 'srgb',
    cover,
    shape,
  };
  const module = await readFile(program, 'utf8');
  return [
    { path: 'preprocess.mjs', content: module.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n') },
    { path: 'preprocessing.json', content: `${JSON.stringify(preprocessing, null, 2)}\n` },
  ];
}
