import type { Entry, ZipFile } from 'yauzl';
import { messageOf } from '../errors.ts';
import { openZip } from '../util/zip.ts';
import { bytesOf } from './dtypes.ts';
import { weightsRefused } from './errors.ts';
import type { OpenFile } from './file.ts';
import { LONGEST_DESCRIPTION, MOST_ARRAYS } from './limits.ts';
import { readPickle } from './pickle.ts';
import { stateDictOf, type TorchStorage, torchWorld } from './torch-objects.ts';
import type { Listing, StoredArray } from './types.ts';

/**
 * Lists what `torch.save` of PyTorch 1.6 or later wrote: a zip file of `data.pkl`, which describes the tensors, and
 * `data/KEY` for each storage, uncompressed.
 *
 * @throws {TailmixError} WEIGHTS_DAMAGED, WEIGHTS_REFUSED
 */
export async function listTorchZip(file: OpenFile): Promise<Listing> {
  const { path, fail } = file;
  const broken = (error: unknown): never => {
    throw fail(`as a zip file, it is broken: ${messageOf(error)}`);
  };
  const zip = await openZip(path).catch(broken);
  try {
    if (zip.entryCount > MOST_ARRAYS) throw fail(`it has ${zip.entryCount} entries, and ${MOST_ARRAYS} are the most`);
    const entries = await entriesOf(zip).catch(broken);
    const root = [...entries.keys()].find((name) => name.endsWith('/data.pkl'))?.slice(0, -'data.pkl'.length);
    if (root === undefined) throw fail('it is a zip file without data.pkl');
    if (entries.has(`${root}constants.pkl`)) throw weightsRefused(path, 'a TorchScript program');
    const spanOf = async (name: string): Promise<{ offset: number; length: number }> => {
      const entry = entries.get(root + name);
      if (!entry) throw fail(`it has no ${name}`);
      if (entry.compressionMethod !== 0) throw fail(`${name} is compressed, which PyTorch does not do`);
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true }).catch(broken);
      return { offset: fileDataStart, length: entry.uncompressedSize };
    };
    const bytesOfEntry = async (name: string): Promise<Buffer> => {
      const { offset, length } = await spanOf(name);
      return file.read(offset, length);
    };
    if (entries.has(`${root}byteorder`) && (await bytesOfEntry('byteorder')).toString() !== 'little') {
      throw fail('its numbers are big-endian, which is not read');
    }
    const { length: pickled } = await spanOf('data.pkl');
    if (pickled > LONGEST_DESCRIPTION)
      throw fail(`its data.pkl has ${pickled} bytes, and ${LONGEST_DESCRIPTION} are the most`);
    const { value } = readPickle(await bytesOfEntry('data.pkl'), 0, torchWorld(path));
    const arrays = new Map<string, StoredArray>();
    for (const [name, { storage, first, shape, dtype, strides }] of stateDictOf(path, value)) {
      const { offset, length } = await spanOf(`data/${storage.key}`);
      if (length !== storage.length * bytesOf[dtype]) {
        throw fail(`${name}: its storage has ${length} bytes for ${describe(storage)}`);
      }
      arrays.set(name, { shape, dtype, strides, file: path, offset: offset + first * bytesOf[dtype] });
    }
    return { arrays, metadata: {} };
  } finally {
    zip.close();
  }
}

const describe = ({ length, dtype }: TorchStorage): string => `${length} elements of ${dtype}`;

async function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    if (entries.has(entry.fileName)) throw new Error(`${entry.fileName} is there twice`);
    entries.set(entry.fileName, entry);
  }
  return entries;
}
