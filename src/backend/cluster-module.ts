import { join } from 'node:path';
import { librariesAround } from './compile.ts';
import { clusterModuleMissing } from './errors.ts';
import { ownModule } from './own-module.ts';

/** A value to feed, by `node:output`. */
interface ClusterFeed {
  name: string;
  shape: readonly number[];
  values: Float32Array | Int32Array | Uint8Array;
}

/**
 * What `native/cluster.cc` exports: a TensorFlow server in this process, and sessions on it. Bytes are Protocol Buffers.
 * Errors have TensorFlow's code as text in `code`.
 */
export interface ClusterModule {
  /** Starts the server that a `ServerDef` describes; it lives as long as the process. Returns a session's target. */
  startServer(definition: Uint8Array): string;
  /** Loads a SavedModel into a session, with a `ConfigProto`. */
  openSession(folder: string, tag: string, target: string, config: Uint8Array): number;
  /** Runs with `RunOptions`; blocks until it is done. */
  run(
    session: number,
    options: Uint8Array,
    feeds: readonly ClusterFeed[],
    fetches: readonly string[],
  ): { values: Float32Array | Int32Array | Uint8Array; shape: number[] }[];
  closeSession(session: number): void;
}

/** Runs on one machine do without it. `load` needs a native build that is loaded. */
export const {
  setUp: setUpClusterModule,
  isCompiled: hasClusterModule,
  load: loadClusterModule,
} = ownModule<ClusterModule>({
  name: 'cluster',
  headers: ['cluster_interfaces.h', 'node_api.h'],
  purpose: 'training on several machines',
  flags: (folder, target) => ({
    flags: [librariesAround(target)],
    libraries: [target.libraries.main, target.libraries.framework].map((library) => join(folder, 'lib', library)),
  }),
  missing: clusterModuleMissing,
});
