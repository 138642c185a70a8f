import { describe, expect, test } from 'vitest';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import { checkInputs, type Decided, decidedFaults, drawWeightsFault } from '../../src/step/decided.ts';
import type { Batch, InputSpec, Targets } from '../../src/step/types.ts';
import { messageOfError } from '../support/message.ts';

const inputs: Record<string, InputSpec> = { 'plugin/offset': { shape: ['batch', 2], dtype: 'float32' } };
const run: Decided = {
  info: { classes: ['a', 'b', 'c', 'd', 'e', 'f'], classCounts: [4, 3, 2, 2, 1, 0], imageShape: [8, 6, 3] },
  variants: { mix: ['input', 'stage1'], depth: ['one'] },
  inputs,
};

/** Three trained rows in a pool of six. */
const given = (): Batch =>
  createBatch(
    {
      size: 3,
      indices: Int32Array.of(50, 51, 52, 60, 61, 62),
      labels: Int32Array.of(0, 1, 2, 3, 4, 5),
      groups: { extra: { start: 3, size: 3 } },
    },
    run.variants,
  );

/** `part: expected …; got …`, or null. */
const faultOf = (
  hook: keyof typeof decidedFaults,
  value: unknown,
  before: unknown,
  rehearsal = false,
): string | null => {
  const fault = decidedFaults[hook]!(value, before, run, { rehearsal });
  return fault && `${fault.part ?? 'all'}: expected ${fault.expected}; got ${fault.got}`;
};

describe('what a tap of onBatch returns', () => {
  const fault = (changes: object): string | null => {
    const before = given();
    return faultOf('onBatch', { ...before, ...changes }, before);
  };

  test.each<[string, Partial<Batch>]>([
    ['an unmixed batch', {}],
    ['partners at both ends of the pool', { pair: Int32Array.of(0, 5, 5) }],
    ['lambda at both ends', { lambda: Float32Array.of(0, 1, 0.5) }],
    ['another declared variant', { variants: { mix: 'stage1', depth: 'one' } }],
    ['a patch that is the whole image', { box: { top: 0, bottom: 8, left: 0, right: 6 } }],
    ['an empty patch', { box: { top: 3, bottom: 3, left: 0, right: 0 } }],
    ['a declared input', { inputs: { 'plugin/offset': new Float32Array(6) } }],
    ['a copy of the labels', { labels: given().labels.slice() }],
  ])('%s is right', (_, changes) => {
    expect(fault(changes)).toBeNull();
  });

  test.each<[string, object]>([
    ['lambda: expected a Float32Array of 3, each in 0…1; got a Float32Array of 2', { lambda: Float32Array.of(1, 1) }],
    ['lambda: expected a Float32Array of 3, each in 0…1; got an array of 3', { lambda: [1, 1, 1] }],
    ['lambda: expected a Float32Array of 3, each in 0…1; got a Float64Array of 3', { lambda: new Float64Array(3) }],
    ['lambda: expected a Float32Array of 3, each in 0…1; got undefined', { lambda: undefined }],
    ['lambda[0]: expected a number in 0…1; got NaN', { lambda: Float32Array.of(Number.NaN, 1, 1) }],
    ['lambda[1]: expected a number in 0…1; got -0.5', { lambda: Float32Array.of(1, -0.5, 1) }],
    ['lambda[2]: expected a number in 0…1; got 1.5', { lambda: Float32Array.of(1, 1, 1.5) }],
    [
      'pair: expected an Int32Array of 3, each in 0…5, a row of the pool; got an Int32Array of 4',
      { pair: new Int32Array(4) },
    ],
    ['pair: expected an Int32Array of 3, each in 0…5, a row of the pool; got an array of 3', { pair: [0, 1, 2] }],
    ['pair[1]: expected a number in 0…5, a row of the pool; got 6', { pair: Int32Array.of(0, 6, 2) }],
    ['pair[2]: expected a number in 0…5, a row of the pool; got -1', { pair: Int32Array.of(0, 1, -1) }],
    ['variants.mix: expected "input" or "stage1"; got "stage2"', { variants: { mix: 'stage2', depth: 'one' } }],
    ['variants.depth: expected "one"; got undefined', { variants: { mix: 'input' } }],
    [
      'variants.dept: expected a declared variant, perhaps "depth"; got another',
      { variants: { mix: 'input', depth: 'one', dept: 'one' } },
    ],
    ['variants: expected values by name; got "input"', { variants: 'input' }],
    [
      'inputs["plugin/ofset"]: expected a declared input, perhaps "plugin/offset"; got another name',
      { inputs: { 'plugin/ofset': new Float32Array(6) } },
    ],
    ['inputs: expected arrays by name; got null', { inputs: null }],
    [
      'box: expected null, or whole rows in 0…8 and columns in 0…6; got rows 0…9, columns 0…6',
      { box: { top: 0, bottom: 9, left: 0, right: 6 } },
    ],
    [
      'box: expected null, or whole rows in 0…8 and columns in 0…6; got rows -1…2, columns 0…1',
      { box: { top: -1, bottom: 2, left: 0, right: 1 } },
    ],
    [
      'box: expected null, or whole rows in 0…8 and columns in 0…6; got rows 3…2, columns 0…1',
      { box: { top: 3, bottom: 2, left: 0, right: 1 } },
    ],
    [
      'box: expected null, or whole rows in 0…8 and columns in 0…6; got rows 0…2, columns 0.5…7',
      { box: { top: 0, bottom: 2, left: 0.5, right: 7 } },
    ],
    ['box: expected null, or whole rows in 0…8 and columns in 0…6; got 3', { box: 3 }],
    ['size: expected it as it was: no tap may change it; got another value', { size: 2 }],
    [
      'labels: expected it as it was: no tap may change it; got another value',
      { labels: Int32Array.of(1, 1, 2, 3, 4, 5) },
    ],
    ['indices: expected it as it was: no tap may change it; got none', { indices: undefined }],
  ])('%s', (message, changes) => {
    expect(fault(changes)).toBe(message);
  });

  test('a label that was changed in place is found', () => {
    const before = given();
    before.labels[4] = 6;
    expect(faultOf('onBatch', before, before)).toBe('labels[4]: expected a number in 0…5, a class; got 6');
  });

  test.each([
    [3, '3'],
    [null, 'null'],
    ['batch', '"batch"'],
  ])('no batch: %s', (value, text) => {
    expect(faultOf('onBatch', value, given())).toBe(`all: expected the batch; got ${text}`);
  });
});

test.each<[string, Record<string, unknown>]>([
  ['got undefined', {}],
  ['got a Float32Array of 5', { 'plugin/offset': new Float32Array(5) }],
  ['got a Float64Array of 6', { 'plugin/offset': new Float64Array(6) }],
  ['got an array of 6', { 'plugin/offset': new Array(6).fill(0) }],
])('a declared input that is not filled as declared: %s', async (got, filled) => {
  expect(await messageOfError(() => checkInputs({ ...given(), inputs: filled as Batch['inputs'] }, inputs))).toBe(
    `[plugin] onBatch: inputs["plugin/offset"]: expected a Float32Array of 6, each other than NaN, for float32[batch, 2]; ${got}.`,
  );
});

test('a declared input must not be NaN; it may be infinite', async () => {
  const filled = (value: number): Batch => ({
    ...given(),
    inputs: { 'plugin/offset': Float32Array.of(0, 0, value, 0, 0, 0) },
  });
  expect(await messageOfError(() => checkInputs(filled(Number.NaN), inputs))).toBe(
    '[plugin] onBatch: inputs["plugin/offset"][2]: expected a number other than NaN, for float32[batch, 2]; got NaN.',
  );
  expect(() => checkInputs(filled(Number.NEGATIVE_INFINITY), inputs)).not.toThrow();
});

describe('what a tap of computeTargets returns', () => {
  const targets = (): Targets => createTargets(given());
  const fault = (changes: object): string | null => faultOf('computeTargets', { ...targets(), ...changes }, targets());

  test('weights at both ends are right', () => {
    expect(fault({ labelWeight: Float32Array.of(0, 1, 0.5) })).toBeNull();
  });

  test.each<[string, object]>([
    [
      'labelWeight: expected a Float32Array of 3, each in 0…1; got a Float32Array of 2',
      { labelWeight: Float32Array.of(1, 1) },
    ],
    ['labelWeight: expected a Float32Array of 3, each in 0…1; got an array of 3', { labelWeight: [1, 1, 1] }],
    ['labelWeight[0]: expected a number in 0…1; got NaN', { labelWeight: Float32Array.of(Number.NaN, 1, 1) }],
    ['labelWeight[1]: expected a number in 0…1; got 1.25', { labelWeight: Float32Array.of(1, 1.25, 1) }],
    ['labelWeight[2]: expected a number in 0…1; got -0.25', { labelWeight: Float32Array.of(1, 1, -0.25) }],
    [
      'pairLabels: expected it as it was: no tap may change it; got another value',
      { pairLabels: Int32Array.of(0, 1, 3) },
    ],
    ['labels: expected it as it was: no tap may change it; got another value', { labels: [0, 1, 2] }],
  ])('%s', (message, changes) => {
    expect(fault(changes)).toBe(message);
  });

  test('labels that were changed in place are found', () => {
    const before = targets();
    before.pairLabels[0] = -1;
    expect(faultOf('computeTargets', before, before)).toBe('pairLabels[0]: expected a number in 0…5, a class; got -1');
  });
});

describe('what a tap of computeLearningRate returns', () => {
  test.each([0, 1e-9, 3])('%d is right', (rate) => {
    expect(faultOf('computeLearningRate', rate, 1)).toBeNull();
  });

  test.each([
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [-0.1, '-0.1'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['0.1', '"0.1"'],
  ])('%s is wrong', (rate, text) => {
    expect(faultOf('computeLearningRate', rate, 1)).toBe(`all: expected a finite number of 0 or more; got ${text}`);
  });
});

describe('what taps that weigh classes return', () => {
  const expected = 'expected a Float64Array of 6, each of 0 or more, one a class';
  const wrong: [string, unknown][] = [
    [`all: ${expected}; got a Float64Array of 5`, new Float64Array(5).fill(1)],
    [`all: ${expected}; got an array of 6`, [1, 1, 1, 1, 1, 1]],
    [`all: ${expected}; got a Float32Array of 6`, new Float32Array(6).fill(1)],
    ['[1]: expected a number of 0 or more, one a class; got -1', Float64Array.of(1, -1, 1, 1, 1, 1)],
    ['[5]: expected a number of 0 or more, one a class; got NaN', Float64Array.of(1, 1, 1, 1, 1, Number.NaN)],
    ['[0]: expected a number of 0 or more, one a class; got Infinity', Float64Array.of(Infinity, 1, 1, 1, 1, 1)],
    ['all: expected a weight above 0; got zeros', new Float64Array(6)],
  ];

  test.each(wrong)('%s', (message, weights) => {
    expect(faultOf('computeClassWeights', weights, null)).toBe(message);
    expect(faultOf('computeSamplingWeights', weights, null)).toBe(message);
  });

  test('zero for some classes is right; null is a permutation, of sampling weights alone', () => {
    const some = Float64Array.of(0, 0, 0, 0, 1e-9, 0);
    expect([faultOf('computeClassWeights', some, null), faultOf('computeSamplingWeights', some, null)]).toEqual([
      null,
      null,
    ]);
    expect(faultOf('computeSamplingWeights', null, null)).toBeNull();
    expect(faultOf('computeClassWeights', null, null)).toBe(`all: ${expected}; got null`);
  });

  test('a draw from classes without images alone is wrong', () => {
    const empty = Float64Array.of(0, 0, 0, 0, 0, 1);
    expect(drawWeightsFault(empty, run.info, { rehearsal: false })).toEqual({
      expected: 'a weight above 0 for a class that has images',
      got: 'zeros for all of them',
    });
    expect(faultOf('computeClassWeights', empty, null)).toBeNull();
  });
});

describe('in a rehearsal, beyond the last epoch', () => {
  const [NaNs, zeros] = [new Float64Array(6).fill(Number.NaN), new Float64Array(6)];

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('a learning rate of %d is right', (rate) => {
    expect(faultOf('computeLearningRate', rate, 0.1, true)).toBeNull();
    expect(faultOf('computeLearningRate', rate, 0.1)).not.toBeNull();
  });

  test.each([NaNs, zeros])('weights of %d are right', (weights) => {
    expect(faultOf('computeClassWeights', weights, null, true)).toBeNull();
    expect(faultOf('computeSamplingWeights', weights, null, true)).toBeNull();
    expect(drawWeightsFault(weights, run.info, { rehearsal: true })).toBeNull();
  });

  test('so are shares and boxes of any size', () => {
    const [batch, targets] = [given(), createTargets(given())];
    const box = { top: -1, bottom: 9, left: 0, right: 1 };
    const lambda = batch.lambda.map(() => -1);
    expect(faultOf('onBatch', { ...batch, lambda, box }, batch, true)).toBeNull();
    expect(faultOf('computeTargets', { ...targets, labelWeight: lambda }, targets, true)).toBeNull();
  });

  test('types and lengths are checked', () => {
    const batch = given();
    expect(faultOf('computeLearningRate', null, 0.1, true)).toBe(
      'all: expected a finite number of 0 or more; got null',
    );
    expect(faultOf('computeClassWeights', new Float64Array(5), null, true)).toBe(
      'all: expected a Float64Array of 6, each of 0 or more, one a class; got a Float64Array of 5',
    );
    expect(faultOf('onBatch', { ...batch, lambda: batch.lambda.slice(1) }, batch, true)).toBe(
      'lambda: expected a Float32Array of 3, each in 0…1; got a Float32Array of 2',
    );
  });
});
