import type { Model } from './models/types.ts';

/** What was read to prepare a plugin, by the place as a config names it: it decides the hash of the config. */
export type Pins = Readonly<Record<string, Pin>>;

/** A file, or the weights of another network, that a plugin was prepared with. */
export interface Pin {
  /** Of a file's bytes, or of names, shapes and values of a run's weights; hex. */
  sha256: string;
  /** Of another network: what it is. */
  network?: NetworkFacts;
}

/** What is known of a trained network without its weights. JSON. */
export interface NetworkFacts {
  /** Section `model` of its config, without where its weights began. */
  model: Readonly<Record<string, unknown>>;
  /** In label order; null for a file of weights, which does not say. */
  classes: readonly string[] | null;
  /** What its images were normalised by, per channel; null where the file does not say. */
  mean: readonly number[] | null;
  std: readonly number[] | null;
}

/** A trained network beside the run's own: a teacher. */
export interface PreparedNetwork extends NetworkFacts {
  /**
   * Its weights, by the names that `model` has. They are read when asked for, and must then be those that were pinned. A resumed
   * run has its own state in its checkpoint: ask in `initialWeights`, which is not called there.
   *
   * @throws {TailmixError} INIT_MISSING, INIT_CHANGED, WEIGHTS_…, NETWORK_EXTENDED for a run whose plugins added weights
   */
  weights(model: Model): Promise<Record<string, Float32Array>>;
}

/** What `prepare` reads with: what is read by these is pinned by its content. */
export interface PrepareTools {
  /**
   * The bytes of a file.
   *
   * @param path - from the folder of the config, or the working directory
   * @throws {TailmixError} FILE_MISSING, FILE_CHANGED
   */
  file(path: string): Promise<Buffer>;
  /**
   * A trained network.
   *
   * @param from - a run (its directory, or its name: the newest), a checkpoint file, or with `model` a file of published weights
   * @param model - section `model` of a network whose weights are published, where `from` is a file of those
   * @throws {TailmixError} INIT_MISSING, NETWORK_OWN, WEIGHTS_…
   */
  network(from: string, model?: Readonly<Record<string, unknown>>): Promise<PreparedNetwork>;
}
