import type { Config } from 'vega-lite';

/** Colours of methods in the page's style sheet: `--m0` is the baseline's grey, then seven that keep apart. */
const colours = 8;
const dashes = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
];

/** CSS colour of the method at an index of the table. */
export const methodColour = (index: number): string =>
  index === 0 ? 'var(--m0)' : `var(--m${1 + ((index - 1) % (colours - 1))})`;

/** Line style of a method: with a colour's second use the lines are dashed. */
export const methodDash = (index: number): number[] =>
  index === 0 ? dashes[0]! : dashes[Math.floor((index - 1) / (colours - 1)) % dashes.length]!;

/** Of a chart as wide as the page, in pixels. */
export const chartWidth = 960;

/** With more methods than this, a chart of all of them becomes a panel for each. */
export const methodsTogether = colours;

const label = { labelColor: 'var(--muted)', labelFontSize: 11, titleColor: 'var(--muted)', titleFontSize: 11 };

/** Looks of every chart. Colours are CSS variables, so that one drawing serves light and dark. */
export const theme: Config = {
  background: 'transparent',
  aria: false,
  padding: 2,
  view: { stroke: 'transparent' },
  axis: {
    ...label,
    titleFontWeight: 'normal',
    titlePadding: 8,
    domainColor: 'var(--line)',
    tickColor: 'var(--line)',
    gridColor: 'var(--grid)',
    labelPadding: 4,
  },
  axisX: { grid: false },
  axisBand: { ticks: false, domain: true },
  legend: { ...label, labelLimit: 0, titleLimit: 0, disable: true },
  title: { color: 'var(--ink)', fontSize: 13, fontWeight: 600, anchor: 'start' },
  rule: { color: 'var(--line)' },
  text: { color: 'var(--ink)', fontSize: 11 },
};
