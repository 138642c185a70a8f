import { Error as errorsOnly, parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { Html, html } from '../html.ts';
import { theme } from './theme.ts';

/**
 * Draws a chart as inline SVG, without a browser. It scales with its column; `--w` is its natural width.
 *
 * @param spec Vega-Lite, with its data inside: nothing is loaded.
 * @param description What the chart shows, for readers who cannot see it.
 */
export async function drawChart(spec: TopLevelSpec, description: string): Promise<Html> {
  const view = new View(parse(compile(spec, { config: theme }).spec), { renderer: 'none', logLevel: errorsOnly });
  try {
    const svg = await view.toSVG();
    const [root, width, height] = /^<svg[^>]* width="([\d.]+)" height="([\d.]+)"[^>]*>/.exec(svg)!;
    const opening = html`<svg role="img" aria-label="${description}" viewBox="0 0 ${width!} ${height!}" style="--w:${width!}px">`;
    return new Html(opening.text + svg.slice(root.length));
  } finally {
    view.finalize();
  }
}
