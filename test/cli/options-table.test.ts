import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeOptions, optionsTable, withOptionsTable } from '../../src/cli/options-table.ts';

const options = z.strictObject({
  share: z.number().min(0).lt(1).default(0.5).describe('A share.'),
  count: z.int().positive().default(2).describe('A count | or so.'),
  kappa: z
    .union([z.number().gt(1), z.literal(Number.POSITIVE_INFINITY)])
    .default(3)
    .describe('A ratio.'),
  list: z.array(z.number()).default([0.8, 0.9]).describe('A list.'),
  on: z.boolean().default(false).describe('A switch.'),
  word: z.string().optional().describe('A word.'),
  mode: z.enum(['a', 'b']).describe('A choice.'),
});

test('types, defaults and descriptions come from the schema', () => {
  expect(describeOptions(options).map(({ name, type, default: fallback }) => `${name}: ${type} = ${fallback}`)).toEqual(
    [
      'share: number ≥ 0, < 1 = 0.5',
      'count: integer > 0 = 2',
      'kappa: number > 1 or `.inf` = 3',
      'list: list of number = [0.8, 0.9]',
      'on: boolean = false',
      'word: string = null',
      'mode: `a`, `b` = null',
    ],
  );
});

test('a table replaces what stands under the heading, and nothing else', () => {
  const card = '# x\n\nText.\n\n## Options\n\nold\n\n## Next\n\nmore\n';
  const small = z.strictObject({ n: options.shape.count });
  expect(withOptionsTable(card, small)).toBe(`# x\n\nText.\n\n## Options\n\n${optionsTable(small)}\n## Next\n\nmore\n`);
  expect(optionsTable(small)).toMatchInlineSnapshot(`
    "| option | type        | default | meaning           |
    | ------ | ----------- | ------- | ----------------- |
    | \`n\`    | integer > 0 | \`2\`     | A count \\| or so. |
    "
  `);
  expect(optionsTable(z.strictObject({}))).toBe('None.\n');
});
