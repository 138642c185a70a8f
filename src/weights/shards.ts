import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { notWeights, weightsDamaged, weightsUnreadable } from './errors.ts';
import { sizeOfFile } from './file.ts';
import { LONGEST_DESCRIPTION, MOST_ARRAYS } from './limits.ts';

const index = z.looseObject({ weight_map: z.record(z.string(), z.string()) });

/**
 * Files of a network in several parts, by `model.safetensors.index.json`, and the array names that each must have.
 *
 * @throws {TailmixError} WEIGHTS_MISSING, WEIGHTS_FORMAT, WEIGHTS_DAMAGED for a part outside the folder of the index
 */
export async function readShards(path: string): Promise<Map<string, string[]>> {
  const parts = new Map<string, string[]>();
  const listed = Object.entries((await parse(path)).weight_map);
  if (listed.length > MOST_ARRAYS) {
    throw weightsDamaged(path, `it names ${listed.length} arrays, and ${MOST_ARRAYS} are the most`);
  }
  for (const [name, file] of listed) {
    if (!/^[^/\\]+\.safetensors$/.test(file) || file.startsWith('..')) {
      throw weightsDamaged(path, `"${file}" is no .safetensors file in its own folder`);
    }
    const whole = join(dirname(path), file);
    const names = parts.get(whole);
    if (names) names.push(name);
    else parts.set(whole, [name]);
  }
  return parts;
}

async function parse(path: string): Promise<z.infer<typeof index>> {
  let text: string;
  try {
    const size = await sizeOfFile(path);
    if (size > LONGEST_DESCRIPTION) throw notWeights(path, `its index has ${size} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw (error as { name?: string }).name === 'TailmixError' ? error : weightsUnreadable(path, error);
  }
  try {
    return index.parse(JSON.parse(text));
  } catch {
    throw notWeights(path, 'it is no index of safetensors files, { "weight_map": { ARRAY: FILE } }');
  }
}
