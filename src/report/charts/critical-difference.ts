import { type Html, html } from '../html.ts';
import { byRank, type Ranks } from '../overview.ts';

const [WIDTH, LEFT, RIGHT, TOP, ROW, BAR] = [960, 260, 700, 74, 24, 9];

/**
 * Mean ranks on an axis with bars over the methods that are not told apart (Demšar 2006, Figure 1): the best on the left.
 * Colours are those of the page around it.
 */
export function criticalDifferenceChart(ranks: Ranks): Html {
  const { methods, criticalDifference, alike } = ranks;
  const K = methods.length;
  const at = (rank: number): number => LEFT + ((rank - 1) / (K - 1)) * (RIGHT - LEFT);
  const order = byRank(methods, ranks);
  const half = Math.ceil(K / 2);
  const base = TOP + 14 + alike.length * BAR;
  const height = base + half * ROW + 12;
  const step = Math.ceil(K / 12);
  const ticks = Array.from({ length: K }, (_, k) => k + 1).filter((rank) => rank === K || (rank - 1) % step === 0);
  const line = (x1: number, y1: number, x2: number, y2: number, width = 1): Html =>
    html`<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="var(--ink)" stroke-width="${width}"/>`;
  const text = (x: number, y: number, content: string, anchor: string): Html =>
    html`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="12" fill="var(--ink)">${content}</text>`;
  const rankOf = new Map(order.map(({ label, rank }) => [label, rank]));
  const parts = [
    line(at(1), TOP, at(K), TOP),
    ...ticks.map(
      (rank) => html`${line(at(rank), TOP - 5, at(rank), TOP)}${text(at(rank), TOP - 9, String(rank), 'middle')}`,
    ),
    line(at(1), 26, at(1 + Math.min(criticalDifference, K - 1)), 26, 2),
    text(at(1), 18, `critical difference ${criticalDifference.toFixed(2)}`, 'start'),
    ...alike.map((group, i) => {
      const y = TOP + 8 + i * BAR;
      return line(at(rankOf.get(group[0]!)!) - 4, y, at(rankOf.get(group.at(-1)!)!) + 4, y, 4);
    }),
    ...order.map(({ label, rank }, i) => {
      const isLeft = i < half;
      const y = base + (isLeft ? i + 1 : K - i) * ROW;
      const name = `${label}  ${rank.toFixed(2)}`;
      return html`${line(at(rank), TOP, at(rank), y)}${line(at(rank), y, isLeft ? 0 : WIDTH, y)}${text(isLeft ? 0 : WIDTH, y - 5, name, isLeft ? 'start' : 'end')}`;
    }),
  ];
  const description = `Mean ranks, 1 is best: ${order.map(({ label, rank }) => `${label} ${rank.toFixed(2)}`).join(', ')}. Critical difference ${criticalDifference.toFixed(2)}.`;
  return html`<svg role="img" aria-label="${description}" viewBox="0 0 ${WIDTH} ${height}" style="--w:${WIDTH}px">${parts}</svg>`;
}
