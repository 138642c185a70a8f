import type sharp from 'sharp';
import type { Shape } from '../data/transforms/augment.ts';
import { escapeHtml } from './html.ts';

/** Sides of a picture on a sheet, in pixels: small ones are enlarged by a whole number, large ones made smaller. */
const [SMALLEST, LARGEST] = [56, 112];
const GAP = 4;
const MARGIN = 12;
const LABEL = 190;
const CAPTION = 22;
/** What a caption needs. */
const NARROWEST = 560;

/** A row of a sheet. */
export interface SheetRow {
  title: string;
  /** Below the title. */
  detail: string;
  /** CSS colour of the mark at its left. */
  colour: string;
  /** `[height, width, channels]` each. */
  images: readonly Uint8Array[];
}

/** Whether images of a shape can be shown: grey or RGB. */
export const canShow = ([, , channels]: Shape): boolean => channels === 1 || channels === 3;

/**
 * Draws rows of images with their names as one PNG. Names need a font on the machine; without one the images stand
 * alone, in the order of the rows.
 */
export async function drawSheet(rows: readonly SheetRow[], shape: Shape, caption: string): Promise<Buffer> {
  const open = (await import('sharp')).default;
  const [height, width] = shape;
  const scale = scaleOf(Math.max(height, width));
  const [cellHeight, cellWidth] = [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
  const rowHeight = Math.max(cellHeight, 30) + GAP;
  const columns = Math.max(1, ...rows.map(({ images }) => images.length));
  const sheet = {
    width: Math.max(NARROWEST, 2 * MARGIN + LABEL + columns * (cellWidth + GAP)),
    height: 2 * MARGIN + CAPTION + rows.length * rowHeight,
  };
  const top = (row: number): number => MARGIN + CAPTION + row * rowHeight;
  const pictures = await Promise.all(
    rows.flatMap(({ images }, row) =>
      images.map(async (image, column) => ({
        input: await scaled(open, image, shape, [cellHeight, cellWidth]),
        raw: { width: cellWidth, height: cellHeight, channels: 3 as const },
        left: MARGIN + LABEL + column * (cellWidth + GAP),
        top: top(row),
      })),
    ),
  );
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${sheet.width}" height="${sheet.height}" font-family="sans-serif">
<text x="${MARGIN}" y="${MARGIN + 10}" font-size="12" fill="#59636e">${xml(caption)}</text>
${rows
  .map(
    (
      { title, detail, colour },
      row,
    ) => `<rect x="${MARGIN}" y="${top(row)}" width="4" height="${rowHeight - GAP}" fill="${colour}"/>
<text x="${MARGIN + 12}" y="${top(row) + 13}" font-size="13" fill="#1b1f24">${xml(shorten(title, 24))}</text>
<text x="${MARGIN + 12}" y="${top(row) + 28}" font-size="11" fill="#59636e">${xml(shorten(detail, 30))}</text>`,
  )
  .join('\n')}
</svg>`;
  return open({ create: { ...sheet, channels: 3, background: '#ffffff' } })
    .composite([...pictures, { input: Buffer.from(text), left: 0, top: 0 }])
    .removeAlpha()
    .png()
    .toBuffer();
}

function scaleOf(side: number): number {
  if (side > LARGEST) return LARGEST / side;
  return side < SMALLEST ? Math.ceil(SMALLEST / side) : 1;
}

async function scaled(
  open: typeof sharp,
  image: Uint8Array,
  [height, width, channels]: Shape,
  [cellHeight, cellWidth]: readonly [number, number],
): Promise<Buffer> {
  return open(image, { raw: { width, height, channels: channels as 1 | 3 } })
    .resize(cellWidth, cellHeight, { fit: 'fill', kernel: cellHeight > height ? 'nearest' : 'lanczos3' })
    .toColourspace('srgb')
    .raw()
    .toBuffer();
}

/** Text of an SVG: escaped, without characters that XML has no place for. */
const xml = (text: string): string =>
  escapeHtml(
    Buffer.from(text)
      .toString()
      .replace(/[\p{Cc}\ufffe\uffff]/gu, '\ufffd'),
  );

const shorten = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 8)}…${text.slice(-7)}`;
