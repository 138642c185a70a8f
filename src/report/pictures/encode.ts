import type { Shape } from '../../data/transforms/augment.ts';
import type { Picture } from './file.ts';

/** Longest side of a picture in a page, in pixels; what is larger is made smaller, and is a photo. */
const SIDE = 96;
/** Up to here pixels are shown as they are. */
const WHOLE = 64;

/**
 * An image as a small picture: PNG up to 64 pixels a side, where each counts, else a JPEG of at most 96 pixels.
 *
 * @param image - `[height, width, channels]`, grey or RGB
 */
export async function encodePicture(image: Uint8Array, [height, width, channels]: Shape): Promise<Picture> {
  const open = (await import('sharp')).default;
  const raw = open(image, { raw: { width, height, channels: channels as 1 | 3 } });
  const isSmall = Math.max(width, height) <= WHOLE;
  const made = isSmall
    ? raw.png({ compressionLevel: 9 })
    : raw.resize({ width: SIDE, height: SIDE, fit: 'inside', withoutEnlargement: true }).jpeg({ quality: 82 });
  const { data, info } = await made.toBuffer({ resolveWithObject: true });
  return { type: isSmall ? 'png' : 'jpeg', width: info.width, height: info.height, bytes: data.toString('base64') };
}
