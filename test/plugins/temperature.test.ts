import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fitTemperature } from '../../plugins/temperature/fit.ts';
import temperature from '../../plugins/temperature/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { noise } from '../models/reference.ts';
import { describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun } from '../support/small-run.ts';
import { squares } from '../support/squares.ts';

interface Case {
  rows: number;
  classes: number;
  scale: number;
  labels: number[];
  temperature: number;
  nll: number;
}
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('../reference/temperature.json', import.meta.url), 'utf8'),
);

const logitsOf = ({ rows, classes, scale }: Case): Float32Array =>
  noise(`temperature${rows}`, rows * classes).map((value) => value * scale);

test.each(cases)('the fit is SciPy’s: $temperature', (one) => {
  const { labels, temperature: expected } = one;
  const found = fitTemperature(logitsOf(one), Int32Array.from(labels));
  expect(found / expected).toBeCloseTo(1, 5);
});

test('is equivariant, and ends where there is no best one', () => {
  const { labels } = cases[1]!;
  const logits = logitsOf(cases[1]!);
  const of = (factor: number): number =>
    fitTemperature(
      logits.map((z) => z * factor),
      Int32Array.from(labels),
    );
  expect(of(64) / of(1)).toBeCloseTo(64, 4);
  const always = Float32Array.of(3, 0, 0, 3);
  expect(fitTemperature(always, Int32Array.of(0, 1))).toBeLessThan(0.05);
  expect(fitTemperature(always, Int32Array.of(1, 0))).toBeGreaterThan(100);
  expect(fitTemperature(new Float32Array(4), Int32Array.of(0, 1))).toBe(1);
});

const data = () => ({ ...squares([10, 5, 3, 2]), validation: squares([3, 3, 3, 3]).train });
const run = (step: 'eager' | 'captured', plugins = [temperature()], changes = {}) =>
  smallRun({ data: data(), train: { epochs: 4, batchSize: 8, step }, plugins, ...changes });

test('changes no prediction, and test figures have the temperature of their own epoch', async () => {
  const [plain, cooled] = [await run('eager', []), await run('eager')];
  expect(cooled.losses).toEqual(plain.losses);
  expect(cooled.epochs.map(({ test: one }) => one!.accuracy)).toEqual(
    plain.epochs.map(({ test: one }) => one!.accuracy),
  );
  const value = cooled.epochs.at(-1)!.validation!.figures!.temperature!;
  expect(cooled.state['temperature/value']![0]).toBeCloseTo(value, 5);
  expect(value).not.toBe(1);
  expect(cooled.epochs[0]!.test!.loss).not.toBeCloseTo(plain.epochs[0]!.test!.loss, 5);
});

describeNative('a run', () => {
  test('captured is eager; resumed it goes on as if it had never stopped', async () => {
    const [eager, captured] = [await run('eager'), await run('captured')];
    expect(captured.mode).toBe('captured');
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.state['temperature/value']![0]).toBeCloseTo(eager.state['temperature/value']![0]!, 4);
    const half = await run('captured', [temperature()], { train: { epochs: 2, batchSize: 8, step: 'captured' } });
    const resumed = await run('captured', [temperature()], {
      resume: half.snapshot,
      train: { epochs: 4, batchSize: 8, step: 'captured' },
    });
    expect(resumed.state).toEqual(captured.state);
    expect(resumed.epochs.map(({ validation }) => validation!.figures)).toEqual(
      captured.epochs.map(({ validation }) => validation!.figures),
    );
  });
});

test('without a validation split it is refused', async () => {
  expect(await messageOfError(async () => compose([temperature()], smallInfo({ validationCount: 0 })))).toBe(
    '[temperature] expected a validation split, on which the temperature is fitted; the run has none. Set data.split.validation.',
  );
});
