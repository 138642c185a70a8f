import type sharp from 'sharp';
import { wrapText } from '../../util/wrap-text.ts';
import { type Html, html } from '../html.ts';
import { lightColours } from '../page/style.ts';

/** A panel: where a network sees which of two classes, with the points that it was trained on. */
export interface BoundaryPanel {
  title: string;
  /** Points of a side of the grid. */
  side: number;
  /** `[side × side]`, rows from the highest y down: probability of class 1. */
  probability: Float32Array;
  /** x and y from 0 to 1, y upwards. */
  points: readonly { x: number; y: number; label: number }[];
}

const [SIZE, GAP, MARGIN, TITLE] = [240, 16, 12, 24];
/** Characters of a line of a title. */
const LINE = 32;
/** Of class 0 and 1, as red, green, blue: those of medium and few in a report. */
const COLOURS = [rgbOf(lightColours['--medium']!), rgbOf(lightColours['--few']!)] as const;

/**
 * Decision boundaries side by side as an SVG file (Chou et al. 2020, Figure 4): the nearer to white, the less sure; the colours meet
 * at probability ½.
 *
 * @param rows - Panels, a row each; rows may differ in length.
 */
export async function drawBoundaries(
  rows: readonly (readonly BoundaryPanel[])[],
  description: string,
): Promise<string> {
  const columns = Math.max(...rows.map((row) => row.length));
  const width = 2 * MARGIN + columns * SIZE + (columns - 1) * GAP;
  const lines = Math.max(...rows.flat().map(({ title }) => wrapText(title, LINE).length));
  const head = TITLE + (lines - 1) * 16;
  const height = 2 * MARGIN + rows.length * (SIZE + head) + (rows.length - 1) * GAP;
  const parts: Html[] = [];
  for (const [r, row] of rows.entries()) {
    for (const [c, panel] of row.entries()) {
      const [x, y] = [MARGIN + c * (SIZE + GAP), MARGIN + r * (SIZE + head + GAP)];
      parts.push(html`<g transform="translate(${x} ${y})">${await drawPanel(panel, head)}</g>`);
    }
  }
  return `${html`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${description}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="${lightColours['--ground']!}"/>${parts}</svg>`.text}\n`;
}

/** `#0072b2` → 0, 114, 178. */
function rgbOf(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

async function drawPanel({ title, side, probability, points }: BoundaryPanel, head: number): Promise<Html> {
  const open = (await import('sharp')).default;
  const picture = await drawPicture(open, side, probability);
  const dots = ([0, 1] as const).map((label) => {
    const path = points
      .filter((point) => point.label === label)
      .map(({ x, y }) => `M${(SIZE * x).toFixed(1)} ${(SIZE * (1 - y)).toFixed(1)}h0`)
      .join('');
    const colour = `rgb(${COLOURS[label].map((value) => Math.round(0.72 * value)).join(' ')})`;
    return html`<path d="${path}" stroke="${colour}" stroke-width="3.2" stroke-linecap="round" fill="none"/>`;
  });
  return html`<text font-size="13" font-weight="600" fill="${lightColours['--ink']!}">${wrapText(title, LINE).map((line, i) => html`<tspan x="0" y="${15 + 16 * i}">${line}</tspan>`)}</text><svg y="${head}" width="${SIZE}" height="${SIZE}"><image width="${SIZE}" height="${SIZE}" href="data:image/png;base64,${picture.toString('base64')}"/>${dots}</svg>`;
}

/** The plane as a PNG, a pixel for each point of the grid. */
async function drawPicture(open: typeof sharp, side: number, probability: Float32Array): Promise<Buffer> {
  const pixels = new Uint8Array(3 * probability.length);
  for (const [at, p] of probability.entries()) {
    const colour = COLOURS[p < 0.5 ? 0 : 1];
    // A quarter of the colour at ½, so that the boundary shows; 70% where the network is sure.
    const strength = 0.25 + 0.45 * Math.abs(2 * p - 1);
    for (const channel of [0, 1, 2] as const) pixels[3 * at + channel] = 255 - strength * (255 - colour[channel]);
  }
  return open(pixels, { raw: { width: side, height: side, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}
