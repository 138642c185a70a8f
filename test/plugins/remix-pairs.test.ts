import { expect, test } from 'vitest';
import { remixLambda } from '../../plugins/remix/index.ts';

/** κ as whole numbers: 1.1 is 11 / 10. */
const kappas = [
  '1.01',
  '1.05',
  '1.1',
  '1.15',
  '1.5',
  '2.2',
  '2.7',
  '3',
  '4.4',
  '4.9',
  '5.4',
  '8.3',
  '8.8',
  '9.3',
  '9.8',
];
const fractionOf = (text: string): { kappa: number; p: number; q: number } => {
  const digits = text.split('.')[1]?.length ?? 0;
  return { kappa: Number(text), p: Number(text.replace('.', '')), q: 10 ** digits };
};

test('all pairs of up to 1,000 images: 15 kappas in whole numbers', () => {
  const wrong: string[] = [];
  let products = 0;
  for (const { kappa, p, q } of kappas.map(fractionOf)) {
    for (let ni = 1; ni <= 1000; ni++) {
      for (let nj = 1; nj <= 1000; nj++) {
        const isRelabelled = ni * q >= p * nj;
        const isPartners = nj * q >= p * ni;
        if (remixLambda(0.3, ni, nj, { kappa, tau: 0.5 }) !== (isRelabelled ? 0 : 0.3))
          wrong.push(`${ni} to ${nj}, ${kappa}`);
        if (remixLambda(0.7, ni, nj, { kappa, tau: 0.5 }) !== (isPartners ? 1 : 0.7))
          wrong.push(`${nj} to ${ni}, ${kappa}`);
        if (ni >= kappa * nj !== isRelabelled) products++;
      }
    }
  }
  expect(wrong).toEqual([]);
  // What the comparison of products gets wrong.
  expect(products).toBe(176);
});
