import { bytesOf } from './dtypes.ts';
import { weightsRefused } from './errors.ts';
import type { OpenFile } from './file.ts';
import { LONGEST_DESCRIPTION } from './limits.ts';
import { type PickleWorld, readPickle, type Value } from './pickle.ts';
import { nameOf, stateDictOf, type TorchStorage, torchWorld } from './torch-objects.ts';
import type { Dtype, Listing, StoredArray } from './types.ts';

/** First value of the file: a long integer. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
const LENGTH_BYTES = 8;

/** Whether a file begins as `torch.save` before PyTorch 1.6 began one. */
export const isTorchLegacy = (head: Buffer): boolean =>
  head.subarray(0, 4).equals(Buffer.of(0x80, 0x02, 0x8a, 0x0a)) && head.subarray(4, 14).equals(magicBytes);

const magicBytes = Buffer.alloc(10);
for (let i = 0; i < 10; i++) magicBytes[i] = Number((MAGIC >> BigInt(8 * i)) & 0xffn);

/**
 * Lists what `torch.save` before PyTorch 1.6 wrote: pickles of a magic number, the protocol, the system, the object and the
 * names of its storages, and then each storage: its number of elements (8 bytes) and the elements.
 *
 * @throws {TailmixError} WEIGHTS_DAMAGED, WEIGHTS_REFUSED
 */
export async function listTorchLegacy(file: OpenFile): Promise<Listing> {
  const { path, size, fail } = file;
  const pickles = await file.read(0, Math.min(size, LONGEST_DESCRIPTION));
  const storages = new Map<string, TorchStorage>();
  const world = torchWorld(path);
  const listing: PickleWorld = {
    ...world,
    persistent(id) {
      const storage = world.persistent(id) as TorchStorage;
      const [, , , , , view] = id as Value[];
      if (view !== null && view !== undefined) throw weightsRefused(path, 'a storage that is a view of another');
      if (storages.get(storage.key)?.dtype === undefined) storages.set(storage.key, storage);
      return storage;
    },
  };
  let at = 0;
  const next = (within: PickleWorld): Value => {
    const { value, end } = readPickle(pickles, at, within);
    at = end;
    return value;
  };
  if (next(world) !== MAGIC) throw fail('it does not begin with its magic number');
  if (next(world) !== PROTOCOL) throw fail(`its protocol is not ${PROTOCOL}`);
  const system = next(world);
  if (!(system instanceof Map) || system.get('little_endian') !== true) {
    throw fail('its numbers are big-endian, which is not read');
  }
  const tensors = stateDictOf(path, next(listing));
  const keys = next(world);
  if (!Array.isArray(keys)) throw fail('the names of its storages are no list');
  const offsets = await placesOf(file, at, keys, storages);
  const arrays = new Map<string, StoredArray>();
  for (const [name, { storage, first, shape, dtype, strides }] of tensors) {
    const offset = offsets.get(storage.key);
    if (offset === undefined) throw fail(`${name}: its storage is not in the file`);
    if (dtype !== storages.get(storage.key)!.dtype) throw fail(`${name}: its storage has two dtypes`);
    arrays.set(name, { shape, dtype, strides, file: path, offset: offset + first * bytesOf[dtype as Dtype] });
  }
  return { arrays, metadata: {} };
}

/** Where each storage begins. */
async function placesOf(
  file: OpenFile,
  start: number,
  keys: readonly Value[],
  storages: ReadonlyMap<string, TorchStorage>,
): Promise<Map<string, number>> {
  const places = new Map<string, number>();
  let at = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage) throw file.fail(`it has a storage "${nameOf(key)}" that no tensor names`);
    if (places.has(storage.key)) throw file.fail(`it has the storage "${storage.key}" twice`);
    const length = Number((await file.read(at, LENGTH_BYTES)).readBigInt64LE());
    if (length !== storage.length) {
      throw file.fail(`a storage has ${length} elements, where ${storage.length} were due`);
    }
    places.set(storage.key, at + LENGTH_BYTES);
    at += LENGTH_BYTES + length * bytesOf[storage.dtype];
  }
  if (at !== file.size) throw file.fail(`its storages end at byte ${at} of ${file.size}`);
  return places;
}
