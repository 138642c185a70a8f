import { wrapText } from '../../util/wrap-text.ts';

/** Names on an axis, in full: long ones go on in further lines. */
export interface WrappedNames {
  /** As data of the chart. */
  of(name: string): string;
  /** Height that a band of the axis needs for the longest, in pixels. */
  height: number;
  /** Of the axis. */
  axis: { labelLimit: 0; labelExpr: string; labelLineHeight: number };
}

const LINE = 12;

/**
 * Names for the bands of a vertical axis. Vega would cut what is longer than a limit, in pixels.
 *
 * @param width - characters of a line
 */
export function wrappedNames(names: readonly string[], width: number): WrappedNames {
  const of = (name: string): string => wrapText(name, width).join('\n');
  const lines = Math.max(1, ...names.map((name) => wrapText(name, width).length));
  return { of, height: LINE * lines + 4, axis: { labelLimit: 0, labelExpr: BY_LINES, labelLineHeight: LINE } };
}

/** Labels are lists of lines. */
export const BY_LINES = "split(datum.label, '\\n')";
