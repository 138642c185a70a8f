import { expect, test } from 'vitest';
import { choiceInWords, chooseMethod, doubtOf } from '../../src/report/choice.ts';
import { compareRuns } from '../../src/report/compare.ts';
import { renderPage } from '../../src/report/page/page.ts';
import type { LoadedRun } from '../../src/report/runs.ts';
import { madeUpRun } from './in-memory-runs.ts';

/** A run whose epochs reach these balanced accuracies on 30 validation images of three classes. */
function validated(method: string, seed: number, balanced: readonly number[], seconds = 10): LoadedRun {
  const run = madeUpRun(method, seed, [8, 6, 4]);
  return {
    ...run,
    summary: {
      ...run.summary,
      seconds,
      chosenOnValidation: { epoch: 1, accuracy: 0.6, balancedAccuracy: 0.5 },
    },
    epochs: run.epochs.map((epoch, i) => ({
      ...epoch,
      validation: {
        count: 30,
        balancedAccuracy: balanced[i % balanced.length]!,
        perClass: [balanced[i % balanced.length]!, 0.5, 0.2],
      },
    })),
  };
}

const choose = (...runs: LoadedRun[]) => chooseMethod(compareRuns({ runs, leftOut: [] }));

test('the method whose best epoch is best on validation, the mean over seeds', () => {
  const choice = choose(
    validated('ERM', 1, [0.5, 0.4]),
    validated('ERM', 2, [0.3, 0.5]),
    validated('Remix', 1, [0.1, 0.6]),
    validated('Remix', 2, [0.7, 0.1]),
    validated('Mixup', 1, [0.55]),
    validated('Mixup', 2, [0.55]),
  )!;
  expect(choice).toMatchObject({ chosen: 'Remix', against: 'ERM', validationCount: 30 });
  expect(choice.methods.map(({ method }) => method)).toEqual(['Remix', 'Mixup', 'ERM']);
  expect(choice.methods[0]!.validation.mean).toBeCloseTo(0.65, 12);
  expect(choice.gain).toBeCloseTo(0.15, 12);
  expect(choice.methods[0]!.test.mean).toBe(0.5);
});

test('of equal ones the faster; none where a run has no validation', () => {
  const [erm, slow, fast] = [validated('ERM', 1, [0.4]), validated('A', 1, [0.5], 20), validated('B', 1, [0.5], 15)];
  expect(choose(erm, slow, fast)!.chosen).toBe('B');
  expect(choose(erm, slow, madeUpRun('B', 1, [8, 6, 4]))).toBeNull();
});

test('none without plain training, and none over unequal seeds', () => {
  const [erm, remix, mixup] = ['ERM', 'Remix', 'Mixup'].map((method) => validated(method, 1, [0.5])) as [
    LoadedRun,
    LoadedRun,
    LoadedRun,
  ];
  expect(choose(remix, mixup)).toBeNull();
  expect(choose(erm, remix, validated('Remix', 2, [0.9]))).toBeNull();
  expect(choose(erm, validated('ERM', 2, [0.5]), remix)).toBeNull();
  expect(choose(erm, remix, mixup)).not.toBeNull();
});

test('the doubt is the standard error of a mean of shares, shares of few images drawn towards a half', () => {
  // 100 images of each of two classes: (50 + 2) / 104 and (90 + 2) / 104.
  const [a, b] = [52 / 104, 92 / 104];
  const by = Math.sqrt((a * (1 - a)) / 100 + (b * (1 - b)) / 100) / 2;
  expect(doubtOf([0.5, 0.9], 200, [7, 7])).toBeCloseTo(by, 12);
  // A class of 1 % of 20 images has one of them; the other 19.8; one without an image does not count.
  const [c, d] = [3 / 5, (19.8 + 2) / 23.8];
  expect(doubtOf([1, 1, null], 20, [1, 99, 0])).toBeCloseTo(Math.sqrt(c * (1 - c) + (d * (1 - d)) / 19.8) / 2, 12);
});

test('the answer in words, and on the page first', async () => {
  const runs = [validated('ERM', 1, [0.4]), validated('Remix', 1, [0.5], 15)];
  const choice = choose(...runs)!;
  expect(choiceInWords(choice)).toMatchInlineSnapshot(`
    [
      "Use Remix: 50.0% on validation, +10.0 points against ERM.",
      "Chance moves such figures by ±18.2 points (one standard error) with 30 validation images: another seed may choose otherwise. More validation images or --seeds 0,1,2 make it surer.",
      "A run takes 15 s, with ERM 10 s (1.5 times as long).",
    ]
  `);
  expect(choiceInWords({ ...choice, doubt: 0.049 })[1]).toBe(
    'Chance moves such figures by ±4.9 points (one standard error) with 30 validation images: the gain is more than twice that.',
  );
  expect(choiceInWords({ ...choice, doubt: 0.051 })[1]).toContain('another seed may choose otherwise');
  expect(
    choiceInWords({ ...choice, chosen: 'ERM', methods: [...choice.methods].reverse(), gain: 0 }),
  ).toMatchInlineSnapshot(`
    [
      "Use ERM: no remedy was better on validation (40.0%).",
      "Chance moves such figures by ±18.2 points (one standard error) with 30 validation images: another seed may choose otherwise. More validation images or --seeds 0,1,2 make it surer.",
    ]
  `);
  const page = await renderPage(compareRuns({ runs, leftOut: [] }), new Date(0), { choice });
  expect(page).toMatch(/<h2 id="choice">Which should I use<\/h2><p>Use Remix: 50\.0% on validation/);
  expect(page.indexOf('id="choice"')).toBeLessThan(page.indexOf('id="results"'));
});
