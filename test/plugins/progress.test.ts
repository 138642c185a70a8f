import { Writable } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { barLine, barReporter } from '../../plugins/progress/bars.ts';
import { createEstimate, timeLeft } from '../../plugins/progress/estimate.ts';
import progress, { progressStyle } from '../../plugins/progress/index.ts';
import { ipcReporter } from '../../plugins/progress/ipc.ts';
import { epochLine, lineReporter } from '../../plugins/progress/lines.ts';
import { compose } from '../../src/compose/compose.ts';
import type { ProgressMessage } from '../../src/tracking/progress-message.ts';
import { smallInfo } from '../support/info.ts';
import { epochMetrics, fakeRun } from '../support/tracked-run.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const info = smallInfo({ epochs: 2, stepsPerEpoch: 3 });
const step = (n: number) => ({ epoch: 1, step: n, stepInEpoch: n, loss: 1 / n });

describe('progressStyle', () => {
  test.each([
    { option: 'auto', asked: undefined, hasChannel: false, isTerminal: true, style: 'bars' },
    { option: 'auto', asked: undefined, hasChannel: true, isTerminal: false, style: 'lines' },
    { option: 'lines', asked: undefined, hasChannel: false, isTerminal: true, style: 'lines' },
    { option: 'none', asked: undefined, hasChannel: false, isTerminal: true, style: 'none' },
    { option: 'none', asked: 'ipc', hasChannel: true, isTerminal: true, style: 'ipc' },
    { option: 'auto', asked: 'ipc', hasChannel: false, isTerminal: false, style: 'lines' },
    { option: 'auto', asked: 'none', hasChannel: false, isTerminal: true, style: 'none' },
    { option: 'auto', asked: 'nonsense', hasChannel: false, isTerminal: true, style: 'bars' },
  ] as const)(
    '$option, asked for $asked, channel $hasChannel, terminal $isTerminal: $style',
    ({ option, style, ...where }) => {
      expect(progressStyle(option, where)).toBe(style);
    },
  );
});

describe('messages to a parent', () => {
  test('at most four a second for steps, and one for each epoch', () => {
    const sent: ProgressMessage[] = [];
    let clock = 0;
    const reporter = ipcReporter(
      info,
      (message) => sent.push(message),
      () => clock,
    );
    for (const [time, n] of [
      [0, 1],
      [100, 2],
      [249, 3],
      [250, 4],
      [600, 5],
    ] as const) {
      clock = time;
      reporter.step(step(n), 10);
    }
    reporter.epoch(epochMetrics(1));
    expect(sent.map(({ step, metrics }) => [step, metrics !== undefined])).toEqual([
      [1, false],
      [4, false],
      [5, false],
      [3, true],
    ]);
    expect(sent[0]).toEqual({
      type: 'progress',
      name: 'small',
      epoch: 1,
      epochs: 2,
      step: 1,
      steps: 3,
      loss: 1,
      imagesPerSecond: 10,
    });
    expect(sent[3]).toEqual({
      type: 'progress',
      name: 'small',
      epoch: 1,
      epochs: 2,
      step: 3,
      steps: 3,
      loss: 1,
      imagesPerSecond: 17.5,
      metrics: epochMetrics(1),
    });
  });
});

describe('lines', () => {
  test('an epoch with and without an evaluation', () => {
    expect(epochLine(info, epochMetrics(1))).toMatchInlineSnapshot(
      `"small  epoch 1/2  loss 1.0000  train 50.00 %  test 25.00 %, balanced 25.00 %  lr 0.1  18 images/s"`,
    );
    expect(epochLine(info, epochMetrics(2, { test: null }))).toMatchInlineSnapshot(
      `"small  epoch 2/2  loss 0.5000  train 50.00 %  lr 0.1  18 images/s"`,
    );
  });

  test('an epoch with a validation split says how it went there', () => {
    expect(epochLine(info, epochMetrics(1, { validation: epochMetrics(1).test }))).toContain(
      'test 25.00 %, balanced 25.00 %, validation balanced 25.00 %  lr',
    );
  });

  test('a long epoch says how far it is, every half minute', () => {
    const lines: string[] = [];
    let clock = 0;
    const reporter = lineReporter(
      info,
      (line) => lines.push(line),
      () => clock,
    );
    reporter.begin(0);
    for (const [seconds, n] of [
      [29.9, 1],
      [30, 2],
      [59.9, 3],
    ] as const) {
      clock = 1000 * seconds;
      reporter.step(step(n), 12.4);
    }
    reporter.epoch(epochMetrics(1));
    expect(lines.map((line) => line.replace(/[\d.]+ GB/, '… GB'))).toEqual([
      'small  epoch 1/2  step 2/3  loss 0.5000  12 images/s  … GB  60 s left',
      `${epochLine(info, epochMetrics(1))}  … GB  60 s left`,
    ]);
  });

  test('a resumed run says so', () => {
    const lines: string[] = [];
    lineReporter(info, (line) => lines.push(line)).begin(1);
    lineReporter(info, (line) => lines.push(line)).begin(0);
    expect(lines).toMatchInlineSnapshot(`
      [
        "small  resumed after epoch 1/2",
      ]
    `);
  });
});

test('bars show run, epoch, loss and rate, and let the process end', () => {
  let written = '';
  const terminal = Object.assign(
    new Writable({
      write(chunk, _, done) {
        written += chunk;
        done();
      },
    }),
    { isTTY: true, columns: 200, rows: 50 },
  ) as unknown as NodeJS.WriteStream;
  const reporter = barReporter(info, terminal);
  reporter.begin(0);
  reporter.step(step(1), 12.4);
  reporter.step(step(2), 12.4);
  reporter.epoch(epochMetrics(1));
  reporter.end();
  expect(written).toContain('small █████░░░░░░░░░ 33 %  epoch 1/2');
  expect(written).toMatch(/small █████░░░░░░░░░ 33 % {2}epoch 1\/2 {2}\d+ s left {2}test 25.00 %, balanced 25.00 %/);
  expect(written).toMatch(/step 2\/3 {2}loss 0.5000 {2}12 images\/s {2}\d+\.\d GB/);
});

test('a narrow terminal leaves out what is least important', () => {
  const payload = { name: 'photos', parts: ['epoch 12/100', '3 min left', 'test 61.00 %, balanced 40.00 %'] };
  expect([200, 79, 60, 40, 20].map((maxWidth) => barLine({ progress: 0.4, maxWidth }, payload))).toEqual([
    'photos ██████░░░░░░░░ 40 %  epoch 12/100  3 min left  test 61.00 %, balanced 40.00 %',
    'photos ██░░░░ 40 %  epoch 12/100  3 min left  test 61.00 %, balanced 40.00 %',
    'photos ██░░░░ 40 %  epoch 12/100  3 min left',
    'photos ██░░░░ 40 %  epoch 12/100',
    'photos ██░░░░ 40 %',
  ]);
});

test.each([
  [null, ''],
  [0, ''],
  [0.4, '0 s left'],
  [99, '99 s left'],
  [100, '2 min left'],
  [3569, '59 min left'],
  [3571, '1 h 0 min left'],
  [9000, '2 h 30 min left'],
])('%s seconds: %s', (seconds, text) => {
  expect(timeLeft(seconds)).toBe(text);
});

test('the time left goes by the steps since a resume', () => {
  let clock = 5000;
  const left = createEstimate(100, 40, () => clock);
  expect(left(40)).toBeNull();
  clock += 10_000;
  expect([left(60), left(100)]).toEqual([20, 0]);
});

describe('the plugin', () => {
  test('writes lines to stderr where there is no terminal', async () => {
    vi.stubEnv('TAILMIX_PROGRESS', 'lines');
    const written: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => Boolean(written.push(String(line))));
    const { hooks } = compose([progress()], info);
    const run = fakeRun(null, { info, resumedFrom: 1 });
    await hooks.onTrainBegin.promise(run);
    await hooks.onEpochBegin.promise(2, run);
    await hooks.onEpochEnd.promise(epochMetrics(2), run);
    await hooks.onTrainEnd.promise(run.summary(), run);
    expect(written.map((line) => line.replace(/ {2}[\d.]+ GB/, ' …'))).toEqual([
      'small  resumed after epoch 1/2\n',
      `${epochLine(info, epochMetrics(2))} …\n`,
    ]);
  });

  test('says what the engine does otherwise than asked for, and why', async () => {
    vi.stubEnv('TAILMIX_PROGRESS', 'lines');
    const written: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => Boolean(written.push(String(line))));
    const { hooks } = compose([progress()], info);
    const engine = { mode: 'eager', reason: 'no graphs', precision: 'fp32', precisionReason: 'no bf16' } as const;
    await hooks.onTrainBegin.promise({ ...fakeRun(null, { info }), engine: { ...fakeRun(null).engine, ...engine } });
    expect(written).toEqual(['the step is eager: no graphs\n', 'the step computes in fp32: no bf16\n']);
  });

  test('says how many images were left out', async () => {
    vi.stubEnv('TAILMIX_PROGRESS', 'lines');
    const written: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => Boolean(written.push(String(line))));
    const { hooks } = compose([progress()], info);
    await hooks.onTrainBegin.promise(
      fakeRun(null, { info, subset: { seed: 0, profile: null, hash: 'f00', skipped: 3 } }),
    );
    expect(written).toEqual(['3 unreadable images were left out (tailmix data info lists them)\n']);
  });

  test('taps nothing with style none', () => {
    vi.stubEnv('TAILMIX_PROGRESS', undefined);
    const { hooks } = compose([progress({ style: 'none' })], info);
    expect(Object.values(hooks).every((hook) => hook.taps.length === 0)).toBe(true);
  });
});
