import { TailmixError } from '../errors.ts';
import { arrayMissing, notWeights, weightsDamaged } from './errors.ts';
import { type OpenFile, openFile } from './file.ts';
import { PickleError } from './pickle.ts';
import { readArray } from './read-array.ts';
import { listSafetensors } from './safetensors.ts';
import { readShards } from './shards.ts';
import { isTorchLegacy, listTorchLegacy } from './torch-legacy.ts';
import { listTorchZip } from './torch-zip.ts';
import type { ArrayInfo, Listing, StoredArray } from './types.ts';

/** Arrays of a network in one file or several, to be read one at a time. */
export interface WeightsFile {
  path: string;
  /** By name, in the order of the file. */
  arrays: ReadonlyMap<string, ArrayInfo>;
  /** Text in the header of a safetensors file; empty for others. */
  metadata: Readonly<Record<string, string>>;
  /**
   * An array as float32, row-major.
   *
   * @param memory - what it is read into where it is large enough. Default: new memory.
   * @throws {TailmixError} WEIGHTS_ARRAY for a name that the file lacks, WEIGHTS_DAMAGED
   */
  read(name: string, memory?: Float32Array): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens published weights: safetensors (F64, F32, F16, BF16, integers), its index of several files
 * (`model.safetensors.index.json`), and what `torch.save` writes of a state_dict (`.pth`, `.pt`, `.bin`), as a zip file or in
 * the older form. Nothing in a file is executed. Close it afterwards.
 *
 * Only headers are read here. `read` takes the memory of its array and at most 4 MiB more.
 *
 * @param path - of the file; what it begins with decides the format
 * @throws {TailmixError} WEIGHTS_MISSING, WEIGHTS_FORMAT, WEIGHTS_DAMAGED, WEIGHTS_REFUSED
 */
export async function openWeights(path: string): Promise<WeightsFile> {
  if (path.endsWith('.json')) return openShards(path);
  const file = await openFile(path);
  try {
    const { arrays, metadata } = await list(file);
    return weightsOf(path, [{ file, arrays }], metadata);
  } catch (error) {
    await file.close();
    throw error instanceof PickleError ? weightsDamaged(path, error.message) : error;
  }
}

async function list(file: OpenFile): Promise<Listing> {
  const head = await file.read(0, Math.min(file.size, 16));
  if (head.subarray(0, 4).toString('latin1') === 'PK\x03\x04') return listTorchZip(file);
  if (isTorchLegacy(head)) return listTorchLegacy(file);
  if (head[8] === 0x7b) return listSafetensors(file);
  throw notWeights(file.path, describeOther(head));
}

/** What a file of no known format is, as far as its first bytes tell: often what a server or git gives in place of a large file. */
function describeOther(head: Buffer): string {
  const text = head.toString('latin1');
  if (text === '') return 'it is empty';
  if (text.startsWith('version https://')) return 'it is a pointer of Git LFS: fetch the file itself with git lfs pull';
  if (text.startsWith('<')) return 'it is a web page, as servers send instead of a file: download the file itself';
  const bytes = [...head.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `it begins with the bytes ${bytes.join(' ')}`;
}

interface Part {
  file: OpenFile;
  arrays: ReadonlyMap<string, StoredArray>;
}

async function openShards(path: string): Promise<WeightsFile> {
  const parts: Part[] = [];
  try {
    for (const [shard, names] of await readShards(path)) {
      const file = await openFile(shard);
      parts.push({ file, arrays: new Map() });
      const { arrays } = await listSafetensors(file);
      const missing = names.find((name) => !arrays.has(name));
      if (missing !== undefined) throw file.fail(`its index names an array "${missing}", which it lacks`);
      parts[parts.length - 1] = { file, arrays: new Map(names.map((name) => [name, arrays.get(name)!])) };
    }
    return weightsOf(path, parts, {});
  } catch (error) {
    await Promise.all(parts.map(({ file }) => file.close()));
    throw error instanceof TailmixError ? error : weightsDamaged(path, String(error));
  }
}

function weightsOf(path: string, parts: readonly Part[], metadata: Listing['metadata']): WeightsFile {
  const places = new Map(
    parts.flatMap(({ file, arrays }) => [...arrays].map(([name, array]) => [name, { file, array }] as const)),
  );
  return {
    path,
    arrays: new Map(
      [...places].map(
        ([
          name,
          {
            array: { shape, dtype },
          },
        ]) => [name, { shape, dtype }],
      ),
    ),
    metadata,
    read(name, memory) {
      const place = places.get(name);
      if (!place) throw arrayMissing(path, name);
      return readArray(place.file, place.array, memory);
    },
    async close() {
      await Promise.all(parts.map(({ file }) => file.close()));
    },
  };
}
