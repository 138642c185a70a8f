import { expect, test } from 'vitest';
import { formatTail } from '../../src/report/tail-table.ts';

test('classes from head to tail, with a bar each', () => {
  const counts = { classes: ['cat', 'dog', 'ox'], train: [50, 1000, 1], all: [1000, 1000, 900], test: [100, 100, 90] };
  expect(formatTail(counts, { width: 60 })).toMatchInlineSnapshot(`
    "class  train    all  test
    dog    1,000  1,000   100  █████████████████████████████████
    cat       50  1,000   100  █▋
    ox         1    900    90  ▏"
  `);
});

test('columns that say nothing are left out; a name is cut, and shows no control character', () => {
  const classes = ['\u001b[31mred', 'a class with a name as long as a sentence', 'empty'];
  const text = formatTail({ classes, train: [3, 4, 0], all: [3, 4, 0], test: null }, { width: 20 });
  expect(text).toMatchInlineSnapshot(`
    "class                     train
    a class with a n…entence      4  ██████████
    �[31mred                      3  ███████▌
    empty                         0"
  `);
});

test('many classes are put together, from the largest on', () => {
  const train = Array.from({ length: 8142 }, (_, c) => Math.max(2, Math.round(1000 * 0.999 ** c)));
  const classes = train.map((_, c) => String(c));
  expect(formatTail({ classes, train, all: train, test: train.map(() => 3) })).toMatchInlineSnapshot(`
    "classes    train, each   test
    1–407        1,000–666  1,221  █████████████████████████████████████████████████
    408–814        666–443  1,221  ████████████████████████████████▋
    815–1221       443–295  1,221  █████████████████████▊
    1222–1628      295–196  1,221  ██████████████▌
    1629–2036      196–131  1,224  █████████▋
    2037–2443       130–87  1,221  ██████▍
    2444–2850        87–58  1,221  ████▎
    2851–3257        58–38  1,221  ██▉
    3258–3664        38–26  1,221  █▉
    3665–4071        26–17  1,221  █▎
    4072–4478        17–11  1,221  ▉
    4479–4885         11–8  1,221  ▌
    4886–5292          8–5  1,221  ▍
    5293–5699          5–3  1,221  ▎
    5700–6107          3–2  1,224  ▏
    6108–6514            2  1,221  ▏
    6515–6921            2  1,221  ▏
    6922–7328            2  1,221  ▏
    7329–7735            2  1,221  ▏
    7736–8142            2  1,221  ▏"
  `);
});
