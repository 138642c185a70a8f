import type { Shape } from './transforms/augment.ts';
import type { ImageInfo } from './types.ts';

/** Bytes of a value: float32, little-endian as everything in a packed file. */
const BYTES = 4;

/** Of a run on features: what its rows were computed from. */
export interface FeatureSource {
  /** Name of the network. */
  backbone: string;
  /** The images that it took. */
  images: Pick<ImageInfo, 'shape' | 'packShape' | 'mean' | 'std'>;
}

/**
 * What is known of rows of features, given what is known of their images.
 *
 * @param size - D, of a row
 */
export function featureInfo<T extends ImageInfo>(info: T, backbone: string, size: number): T {
  const { shape, packShape, mean, std, ...rest } = info;
  const images = { shape, ...(packShape && { packShape }), mean, std };
  return { ...rest, shape: [1, 1, size], mean: [], std: [], features: { backbone, images } } as unknown as T;
}

/** Shape of a row in bytes, as it is packed and loaded. */
export const rowShape = ({ shape, features }: Pick<ImageInfo, 'shape' | 'features'>): Shape =>
  features ? [1, 1, BYTES * shape[2]] : shape;

/** Loaded rows as the step takes them: pixels as bytes, features as numbers. */
export const rowValues = (rows: Uint8Array, isFeatures: boolean): Uint8Array | Float32Array =>
  isFeatures ? new Float32Array(rows.buffer, rows.byteOffset, rows.byteLength / BYTES) : rows;
