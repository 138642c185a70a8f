import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TensorFlowBinding, TensorMetadata } from '../backend/binding.ts';
import { graphRefused } from './errors.ts';
import { TAG } from './proto.ts';
import { DT } from './recording.ts';
import type { HostArray } from './types.ts';

/** A value to feed. */
export interface Feed {
  name: string;
  shape: readonly number[];
  values: HostArray;
}

/** What was fetched: values, and the shape that they came in. */
export interface Fetched {
  values: Float32Array | Int32Array | Uint8Array;
  shape: readonly number[];
}

/** A graph loaded into TensorFlow, with its variables. */
export interface Session {
  /**
   * Feeds, runs, and copies the fetched tensors to the host, all or those wanted. Names are `node:output`; a session
   * keeps a compiled graph for each set of fetches.
   */
  run(feeds: readonly Feed[], fetches: readonly string[], wanted?: readonly boolean[]): Fetched[];
  dispose(): void;
}

/** Gives the bytes of a `saved_model.pb` to whoever loads them, in the folder that TensorFlow wants; it is gone when this returns. */
export function withModelFolder<T>(model: Uint8Array, load: (folder: string, tag: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'captured-'));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), model);
    return load(folder, TAG);
  } catch (error) {
    throw graphRefused(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Loads the bytes of a `saved_model.pb` by tfjs-node. */
export function openSession(binding: TensorFlowBinding, model: Uint8Array): Session {
  const id = withModelFolder(model, (folder, tag) => binding.loadSavedModel(folder, tag));
  return {
    run(feeds, fetches, wanted) {
      const ids: number[] = [];
      let results: TensorMetadata[] = [];
      try {
        for (const { shape, values } of feeds) ids.push(binding.createTensor([...shape], typeOf(values), values));
        results = binding.runSavedModel(id, ids, feeds.map(({ name }) => name).join(','), fetches.join(','));
        return results
          .filter((_, index) => wanted === undefined || wanted[index])
          .map(({ id: result, shape }) => ({ values: binding.tensorDataSync(result), shape }));
      } finally {
        for (const used of [...ids, ...results.map((result) => result.id)]) binding.deleteTensor(used);
      }
    },
    dispose: () => binding.deleteSavedModel(id),
  };
}

function typeOf(values: HostArray): number {
  if (values instanceof Float32Array) return DT.float32;
  return values instanceof Int32Array ? DT.int32 : DT.uint8;
}
