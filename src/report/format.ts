import type { Spread } from '../metrics/statistics.ts';
import { inThousands } from '../util/in-thousands.ts';

/** Decimals of a percentage that the size of the test set supports: two from 5,000 images, else one. */
export const decimalsFor = (testImages: number): number => (testImages >= 5000 ? 2 : 1);

/** A share as a percentage without its sign: 0.8123 → `81.2`. Sums that differ by rounding only print the same. */
export const percent = (share: number, decimals = 1): string => Number((100 * share).toFixed(9)).toFixed(decimals);

/** A difference of shares in percentage points, with a sign and a true minus: −0.012 → `−1.2`. */
export function points(difference: number, decimals = 1): string {
  const text = percent(Math.abs(difference), decimals);
  if (Number(text) === 0) return text;
  return `${difference < 0 ? '−' : '+'}${text}`;
}

/** Both ends of an interval of differences, in points: `+0.4 to +1.9`. */
export const interval = ([low, high]: readonly [number, number], decimals = 1): string =>
  `${points(low, decimals)} to ${points(high, decimals)}`;

/** A p-value to two digits, and below 0.001 as such: `0.034`, `< 0.001`. */
export const pValue = (p: number): string => (p < 0.001 ? '< 0.001' : p >= 0.995 ? '1' : p.toPrecision(2));

/** `81.2 ± 0.4`; without a spread `81.2`, without a value `–`. `show` prints the mean. */
export function withSpread(
  spread: Spread | null,
  decimals = 1,
  {
    show = percent,
    plusMinus = ' ± ',
  }: { show?: (share: number, decimals: number) => string; plusMinus?: string } = {},
): string {
  if (!spread) return '–';
  const centre = show(spread.mean, decimals);
  return spread.sd === null ? centre : `${centre}${plusMinus}${percent(spread.sd, decimals)}`;
}

/** Seconds in words: `48 s`, `12 min 5 s`, `3 h 20 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return seconds < 10 ? `${seconds.toFixed(1)} s` : `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A count to three digits: `650`, `68.9 M`, `4.09 G`. */
export function shortCount(count: number): string {
  const { value, unit } = inThousands(count, ['', ' k', ' M', ' G', ' T']);
  return value === count ? String(count) : `${value.toPrecision(3)}${unit}`;
}

/** Milliseconds to three digits, and from a second on as a {@link duration}: `0.812 ms`, `12.3 ms`, `1.2 s`. */
export const milliseconds = (value: number): string =>
  value < 999.5 ? `${value.toPrecision(3)} ms` : duration(value / 1000);

/** The beginning of a sentence. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
