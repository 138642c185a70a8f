import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { picture } from '../../support/image-tree.ts';

/** Side of the pictures. */
export const SIDE = 24;
export const pixels = picture(5, SIDE, SIDE);

const image = () => sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } });
const second = sharp(Buffer.concat([pixels, pixels.map((value) => 255 - value)]), {
  raw: { width: SIDE, height: 2 * SIDE, channels: 3, pageHeight: SIDE },
});

/** One picture in every format and form that is taken for an image. */
export const forms: Record<string, Buffer> = {
  jpeg: await image().jpeg().toBuffer(),
  'progressive jpeg': await image().jpeg({ progressive: true }).toBuffer(),
  'grey jpeg': await image().greyscale().jpeg().toBuffer(),
  'cmyk jpeg': await image().toColourspace('cmyk').jpeg().toBuffer(),
  png: await image().png().toBuffer(),
  'interlaced png': await image().png({ progressive: true }).toBuffer(),
  'palette png': await image().png({ palette: true, colours: 16 }).toBuffer(),
  '16-bit png': await image().toColourspace('rgb16').png().toBuffer(),
  'transparent png': await image().ensureAlpha(0.5).png().toBuffer(),
  'grey png with alpha': await image().greyscale().ensureAlpha(0.5).png().toBuffer(),
  webp: await image().webp().toBuffer(),
  'lossless webp': await image().webp({ lossless: true }).toBuffer(),
  'animated webp': await second
    .clone()
    .webp({ lossless: true, delay: [9, 9] })
    .toBuffer(),
  'animated gif': await second
    .clone()
    .gif({ delay: [9, 9] })
    .toBuffer(),
  tiff: await image().tiff({ compression: 'none' }).toBuffer(),
  'lzw tiff': await image().tiff({ compression: 'lzw' }).toBuffer(),
  'cmyk tiff': await image().toColourspace('cmyk').tiff({ compression: 'deflate' }).toBuffer(),
  avif: await image().avif({ effort: 0 }).toBuffer(),
};

/** A PNG file made by hand: its header may lie. */
export function pngOf(
  { width, height, depth = 8, colour = 0 }: { width: number; height: number; depth?: number; colour?: number },
  rows: Uint8Array,
): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([depth, colour, 0, 0, 0], 8);
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const content = deflateSync(rows, { level: 1 });
  return Buffer.concat([signature, chunk('IHDR', head), chunk('IDAT', content), chunk('IEND', Buffer.alloc(0))]);
}

/** An uncompressed TIFF file made by hand, of any number of channels, each of `bits` bits. */
export function tiffOf(
  {
    width,
    height,
    channels,
    bits = 8,
    format = 1,
  }: Record<'width' | 'height' | 'channels', number> & {
    bits?: number;
    /** 1 unsigned, 2 signed, 3 floating point. */
    format?: number;
  },
  data: Uint8Array,
): Buffer {
  const perChannel = (value: number): Buffer => {
    const values = Buffer.alloc(2 * channels);
    for (let c = 0; c < channels; c++) values.writeUInt16LE(value, 2 * c);
    return values;
  };
  const entries: [tag: number, type: number, count: number, value: number | Buffer][] = [
    [256, 4, 1, width],
    [257, 4, 1, height],
    [258, 3, channels, perChannel(bits)],
    [259, 3, 1, 1],
    [262, 3, 1, channels < 3 ? 1 : 2],
    [273, 4, 1, 8],
    [277, 3, 1, channels],
    [278, 4, 1, height],
    [279, 4, 1, data.length],
    [339, 3, channels, perChannel(format)],
  ];
  const start = 8 + data.length + (data.length % 2);
  const table = Buffer.alloc(2 + 12 * entries.length + 4);
  table.writeUInt16LE(entries.length, 0);
  const extra: Buffer[] = [];
  let at = start + table.length;
  for (const [i, [tag, type, count, value]] of entries.entries()) {
    const place = 2 + 12 * i;
    table.writeUInt16LE(tag, place);
    table.writeUInt16LE(type, place + 2);
    table.writeUInt32LE(count, place + 4);
    if (typeof value === 'number') table.writeUInt32LE(value, place + 8);
    else if (value.length <= 4) value.copy(table, place + 8);
    else {
      table.writeUInt32LE(at, place + 8);
      extra.push(value);
      at += value.length;
    }
  }
  const head = Buffer.from('II*\0\0\0\0\0', 'latin1');
  head.writeUInt32LE(start, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2), table, ...extra]);
}
