import { afterEach, expect, test, vi } from 'vitest';
import { warnOfMemory } from '../../src/step/memory.ts';

afterEach(() => vi.restoreAllMocks());

function warned(call: string, bytes: number, free: number): unknown[][] {
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  warnOfMemory({ call, bytes }, free);
  return spy.mock.calls;
}

test('says nothing of what fits', () => {
  expect(warned('train', 2e9, 2e9)).toEqual([]);
});

test('warns of what does not, and says what to change', () => {
  expect(warned('train', 9.06e9, 999e6)).toMatchInlineSnapshot(`
    [
      [
        "a step of training needs about 9.1 GB of memory; 999 MB is free. The run may become very slow, or the system may kill it. Lower train.batchSize (with the plugin grad-accumulation the update stays that of the larger batch), data.imageSize or the size of the model, or end other programs.",
        {
          "code": "MEMORY_LOW",
          "type": "TailmixWarning",
        },
      ],
    ]
  `);
  expect(warned('predict', 3e9, 2e9).at(-1)![0]).toContain(
    'an evaluation needs about 3.0 GB of memory; 2.0 GB is free.',
  );
});
