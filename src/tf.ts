import type * as tfjs from '@tensorflow/tfjs';

/**
 * The running TensorFlow.js: one copy for tailmix, its plugins and the native binding.
 * A backend is chosen by `loadBackend` before the first tensor is made.
 */
export * as tf from '@tensorflow/tfjs';

/** Tensors by name. */
export type NamedTensors = Record<string, tfjs.Tensor>;
