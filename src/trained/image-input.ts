import { fileURLToPath } from 'node:url';
import type { EncodedImage } from '../data/packed/decode.ts';
import { imageUnknown, pixelsWrong } from './errors.ts';

/** Decoded pixels, 8 bits a channel, row by row: `ImageData` of a browser or a canvas, or what a decoder gives. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  /** 4: RGBA, of which A is ignored (default); 3: RGB; 1: grey. */
  channels?: 1 | 3 | 4;
}

/** A path, a `file:` URL, the content of an image file, or pixels. */
export type ImageInput = string | URL | Uint8Array | Pixels;

/**
 * An image as a file or its content. Pixels become a PNG, so that all go the same way.
 *
 * @param name - what messages call it
 * @throws {TailmixError} PREDICT_IMAGE, PREDICT_PIXELS
 */
export async function encoded(image: ImageInput, name: string): Promise<string | EncodedImage> {
  if (typeof image === 'string') return image;
  if (image instanceof URL) {
    if (image.protocol !== 'file:') throw imageUnknown(name, image.href);
    return fileURLToPath(image);
  }
  if (image instanceof Uint8Array) {
    return { name, bytes: Buffer.from(image.buffer, image.byteOffset, image.byteLength) };
  }
  if (typeof image !== 'object' || image === null || !isBytes(image.data)) throw imageUnknown(name, image);
  return { name, bytes: await toPng(image, name) };
}

const isBytes = (data: unknown): boolean => data instanceof Uint8Array || data instanceof Uint8ClampedArray;

async function toPng({ data, width, height, channels = 4 }: Pixels, name: string): Promise<Buffer> {
  const isSize = (side: unknown): boolean => Number.isInteger(side) && (side as number) > 0;
  if (!isSize(width) || !isSize(height) || ![1, 3, 4].includes(channels)) {
    throw pixelsWrong(
      name,
      'a width and a height above 0, and 1, 3 or 4 channels',
      `${width} x ${height} x ${channels}`,
    );
  }
  if (data.length !== width * height * channels) {
    throw pixelsWrong(
      name,
      `${width * height * channels} values (${width} x ${height} x ${channels})`,
      `${data.length}`,
    );
  }
  const { default: sharp } = await import('sharp');
  return sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 0 }).toBuffer();
}
