import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readArrays } from '../../src/data/sets/json-arrays.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** What the elements of `a` and `b` are, read in pieces of `chunkBytes`. */
async function read(path: string, chunkBytes?: number) {
  const found: Record<'a' | 'b', unknown[]> = { a: [], b: [] };
  const handlers = { a: (element: unknown) => found.a.push(element), b: (element: unknown) => found.b.push(element) };
  await readArrays(path, handlers as never, chunkBytes);
  return found;
}

test('elements are those of JSON.parse, wherever the pieces end and whatever stands beside them', async () => {
  const path = join(await temporaryFolder(), 'x.json');
  const maps = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), { maxLength: 4 });
  const other = fc.dictionary(
    fc.string().filter((key) => !['a', 'b', '__proto__'].includes(key)),
    fc.oneof(fc.jsonValue(), fc.constant({ a: [1, { b: [] }] }), fc.constant(['a', '[', '"'])),
  );
  await fc.assert(
    fc.asyncProperty(
      maps,
      maps,
      other,
      other,
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, 1, '\t'),
      async (...drawn) => {
        const [a, b, before, after, chunkBytes, space] = drawn;
        const document = Object.fromEntries([...Object.entries(before), ['a', a], ...Object.entries(after), ['b', b]]);
        const text = JSON.stringify(document, null, space);
        await writeFile(path, text);
        const { a: expectedA, b: expectedB } = JSON.parse(text);
        expect(await read(path, chunkBytes)).toEqual({ a: expectedA, b: expectedB });
      },
    ),
    { numRuns: 200 },
  );
});

test('what is no such file is told with its place', async () => {
  const root = await temporaryFolder();
  const message = async (text: string): Promise<string> => {
    await writeFile(join(root, 'x.json'), text);
    return messageOfError(() => read(join(root, 'x.json')), root);
  };
  expect({
    empty: await message(''),
    list: await message('[{}]'),
    cutOff: await message('{"a":[{"id":1},{"id"'),
    cutBetween: await message('{"a":[{"id":1}]'),
    more: await message('{"a":[],"b":[]} {}'),
    bare: await message('{"a":[1],"b":[]}'),
    broken: await message('{"a":[{"id":}],"b":[]}'),
    commas: await message('{"a":[{},,{}],"b":[]}'),
    missing: await message('{"a":[]}'),
    map: await message('{"a":{},"b":[]}'),
    none: await messageOfError(() => read(join(root, 'none.json')), root),
  }).toMatchInlineSnapshot(`
    {
      "bare": "…/x.json: expected JSON: a map with arrays of maps; got 1 at byte 7. Fetch or unpack the data set again.",
      "broken": "…/x.json: expected JSON: a map with arrays of maps; got {"id":} at byte 13. Fetch or unpack the data set again.",
      "commas": "…/x.json: expected JSON: a map with arrays of maps; got a comma too many at byte 9. Fetch or unpack the data set again.",
      "cutBetween": "…/x.json: expected JSON: a map with arrays of maps; got its end at byte 15. Fetch or unpack the data set again.",
      "cutOff": "…/x.json: expected JSON: a map with arrays of maps; got its end at byte 20. Fetch or unpack the data set again.",
      "empty": "…/x.json: expected JSON: a map with arrays of maps; got its end at byte 0. Fetch or unpack the data set again.",
      "list": "…/x.json: expected JSON: a map with arrays of maps; got something else at byte 0. Fetch or unpack the data set again.",
      "map": "…/x.json: expected the arrays a, b; got no a. Fetch or unpack the data set again.",
      "missing": "…/x.json: expected the arrays a, b; got no b. Fetch or unpack the data set again.",
      "more": "…/x.json: expected JSON: a map with arrays of maps; got something else at byte 16. Fetch or unpack the data set again.",
      "none": "…/none.json: expected a readable file; got "ENOENT: no such file or directory, open '…/none.json'". Check that it is still there.",
    }
  `);
});
