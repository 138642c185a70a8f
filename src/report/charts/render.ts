import { Error as errorsOnly, parse, View } from 'vega';
import { type Config, compile, type TopLevelSpec } from 'vega-lite';
import { Html, html } from '../html.ts';
import { lightColours } from '../page/style.ts';
import { theme } from './theme.ts';

/**
 * Draws a chart as inline SVG, without a browser. It scales with its column; `--w` is its natural width.
 *
 * @param spec - Vega-Lite, with its data inside: nothing is loaded.
 * @param description - What the chart shows, for readers who cannot see it.
 */
export async function drawChart(spec: TopLevelSpec, description: string): Promise<Html> {
  const { width, height, content } = await draw(spec, theme);
  const opening = html`<svg role="img" aria-label="${description}" viewBox="0 0 ${width} ${height}" style="--w:${width}px">`;
  return new Html(opening.text + content);
}

/**
 * Draws a chart as an SVG file of its own, for any viewer: with its title and legend, in the light colours of the report.
 *
 * @param description - as for {@link drawChart}; it is the title too
 */
export async function drawChartFile(spec: TopLevelSpec, description: string): Promise<string> {
  const legend = { ...theme.legend, disable: false, orient: 'top', title: null } as const;
  const { width, height, content } = await draw({ ...spec, title: description }, { ...theme, padding: 12, legend });
  const opening = html`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="${description}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><rect width="100%" height="100%" fill="var(--ground)"/>`;
  return `${(opening.text + content).replace(/var\((--[\w-]+)\)/g, (_, name: string) => lightColours[name]!)}\n`;
}

async function draw(spec: TopLevelSpec, config: Config): Promise<{ width: string; height: string; content: string }> {
  const { spec: chart } = compile(withStandIns(spec), { config });
  const view = new View(parse(chart), { renderer: 'none', logLevel: errorsOnly });
  try {
    const svg = withoutStandIns(await view.toSVG());
    const [root, width, height] = /^<svg[^>]* width="([\d.]+)" height="([\d.]+)"[^>]*>/.exec(svg)!;
    return { width: width!, height: height!, content: svg.slice(root.length) };
  } finally {
    view.finalize();
  }
}

/** Names that Vega does not take as data: of properties that every object has, and a word of its expressions. */
const TAKEN = new Set([...Object.getOwnPropertyNames(Object.prototype), 'if']);
const FIRST_LETTERS = [...new Set([...TAKEN].map((name) => name[0]!))];
/** From here on Unicode has 32 code points that are no characters; texts are as long as before. */
const STAND_IN = 0xfdd0;

/** A chart in which a stand-in is the first letter of such names. */
const withStandIns = (spec: TopLevelSpec): TopLevelSpec =>
  JSON.parse(JSON.stringify(spec), (_key, value) =>
    TAKEN.has(value)
      ? String.fromCharCode(STAND_IN + FIRST_LETTERS.indexOf((value as string)[0]!)) + (value as string).slice(1)
      : value,
  ) as TopLevelSpec;

const withoutStandIns = (svg: string): string =>
  svg.replace(/[\ufdd0-\ufdef]/g, (standIn) => FIRST_LETTERS[standIn.charCodeAt(0) - STAND_IN] ?? standIn);
