// What test files import as 'vitest' on the emulated machine, where vitest itself cannot start its processes.
import { format } from 'node:util';

const { expect } = await import(process.env.REAL_VITEST);

export { expect };

// Compared at once: number by number takes minutes there.
const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
expect.addEqualityTesters([
  (a, b) => (a instanceof Float32Array && b instanceof Float32Array && bytesOf(a).equals(bytesOf(b))) || undefined,
]);

export const tests = [];
const outer = [];

export const test = (name, run) => tests.push({ name: [...outer, name].join(' > '), run });
test.each = (rows) => (name, run) => {
  for (const row of rows) {
    const values = Array.isArray(row) ? row : [row];
    test(format(name, ...values.slice(0, name.split('%').length - 1)), () => run(...values));
  }
};
/** What this processor cannot do. A whole group that is skipped is a failure: see `describe`. */
const left = () => undefined;
left.each = () => left;
test.skipIf = (skips) => (skips ? left : test);

export function describe(name, run) {
  outer.push(name);
  run();
  outer.pop();
}
const skipped = (name) =>
  test(name, () => {
    throw new Error('skipped');
  });
describe.skipIf = (skips) => (skips ? skipped : describe);

export const beforeAll = (run) => test('beforeAll', run);
