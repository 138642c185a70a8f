import sharp from 'sharp';
import { expect, test } from 'vitest';
import { drawSheet } from '../../src/report/sheet.ts';

/** An image of one colour; the colour of a pixel of a PNG. */
const flat = (height: number, width: number, colour: readonly number[]): Uint8Array =>
  Uint8Array.from({ length: height * width * colour.length }, (_, i) => colour[i % colour.length]!);

async function open(png: Buffer) {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  return {
    info,
    at: (x: number, y: number): number[] => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)],
  };
}

const row = { title: 'a', detail: 'b', colour: '#0072b2' };

test('each image in its place, small ones enlarged, marks at the left', async () => {
  const [red, green, blue] = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
  ].map((colour) => flat(28, 14, colour));
  const rows = [
    { ...row, images: [red!, green!] },
    { ...row, images: [blue!] },
  ];
  const { info, at } = await open(await drawSheet(rows, [28, 14, 3], 'caption'));
  expect(info).toMatchObject({ width: 560, height: 24 + 22 + 2 * 60, channels: 3 });
  expect(at(202 + 14, 34 + 28)).toEqual([255, 0, 0]);
  expect(at(202 + 32 + 14, 34 + 28)).toEqual([0, 255, 0]);
  expect(at(202 + 14, 34 + 60 + 28)).toEqual([0, 0, 255]);
  expect(at(202 + 32 + 14, 34 + 60 + 28)).toEqual([255, 255, 255]);
  expect(at(14, 50)).toEqual([0, 0x72, 0xb2]);
});

test('grey images, large images, names that are no XML, no rows', async () => {
  const grey = await open(await drawSheet([{ ...row, images: [flat(9, 9, [7])] }], [9, 9, 1], ''));
  expect(grey.at(202 + 20, 34 + 20)).toEqual([7, 7, 7]);
  const large = await open(await drawSheet([{ ...row, images: [flat(224, 448, [1, 2, 3])] }], [224, 448, 3], ''));
  expect(large.info).toMatchObject({ width: 560, height: 24 + 22 + 60 });
  const title = '<b>&"\u0000\u001b\ud800 \ufffe';
  await open(await drawSheet([{ ...row, title, images: [flat(9, 9, [7])] }], [9, 9, 1], title));
  await open(await drawSheet([], [9, 9, 1], ''));
});
