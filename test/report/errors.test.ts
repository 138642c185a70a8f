import { expect, test } from 'vitest';
import * as errors from '../../src/report/errors.ts';

const refused = Object.assign(new Error("EACCES: permission denied, mkdir '/report'"), {
  code: 'EACCES',
  syscall: 'mkdir',
});

test('every message', () => {
  const messages = {
    reportPathMissing: errors.reportPathMissing('runs/x'),
    reportPathIsFile: errors.reportPathIsFile('runs/x/summary.json'),
    reportUnreadable: errors.reportUnreadable('runs', refused),
    noPaths: errors.noPaths(),
    noRuns: errors.noRuns([]),
    mixedDatasets: errors.mixedDatasets([
      { dataset: 'cifar10, 10 classes', path: 'runs/a' },
      { dataset: 'digits, 10 classes', path: 'runs/b' },
    ]),
    unknownBaseline: errors.unknownBaseline('erm', ['ERM', 'Remix']),
    reportNotWritten: errors.reportNotWritten('/report', refused),
    optionMissing: errors.optionMissing('plugins.remix.tau', ['plugins.mixup.alpha']),
    nothingToDraw: errors.nothingToDraw('a confusion matrix'),
  };
  expect(Object.keys(messages).sort()).toEqual(Object.keys(errors).sort());
  expect(Object.values(messages).map(({ code, message }) => `${code} ${message}`)).toMatchInlineSnapshot(`
    [
      "REPORT_PATH report: expected a run directory or a folder of them, but runs/x does not exist. Give a folder that \`tailmix train\` or \`tailmix sweep\` has written.",
      "REPORT_PATH report: expected a run directory or a folder of them, but runs/x/summary.json is a file. Give the folder that contains it.",
      "REPORT_UNREADABLE report: expected to read runs; the system refused (EACCES: permission denied, mkdir '/report'). You have no permission there: name another folder, or change its permissions.",
      "REPORT_NO_PATHS report: expected at least one run directory, got none. Try \`tailmix report runs\`.",
      "REPORT_NO_RUNS report: expected finished runs, but the folders given hold no run directory. A run directory holds config.yaml, metrics.jsonl and summary.json.",
      "REPORT_MIXED_DATA report: expected runs on one data set, got several:
      cifar10, 10 classes: for example runs/a
      digits, 10 classes: for example runs/b
    Write one report for each data set.",
      "REPORT_BASELINE report: expected the baseline to be one of the methods, got "erm". Methods: ERM, Remix.",
      "REPORT_NOT_WRITTEN report: expected to write /report; the system refused (EACCES: permission denied, mkdir '/report'). You have no permission there: choose another folder with --out, or change its permissions.",
      "FIGURE_OPTION figure: expected runs with two values or more of plugins.remix.tau; there are none. Options of their plugins:
      plugins.mixup.alpha",
      "FIGURE_EMPTY figure: expected runs with a confusion matrix; none of them has one.",
    ]
  `);
});

test('no run that counts: each with its reason, a long list cut', () => {
  const leftOut = Array.from({ length: 14 }, (_, i) => ({ path: `runs/${i}`, reason: 'failed: the loss is NaN' }));
  expect(errors.noRuns(leftOut).message).toMatchInlineSnapshot(`
    "report: expected a finished run, but none of the 14 found can be used:
      runs/0: failed: the loss is NaN
      runs/1: failed: the loss is NaN
      runs/2: failed: the loss is NaN
      runs/3: failed: the loss is NaN
      runs/4: failed: the loss is NaN
      runs/5: failed: the loss is NaN
      runs/6: failed: the loss is NaN
      runs/7: failed: the loss is NaN
      runs/8: failed: the loss is NaN
      runs/9: failed: the loss is NaN
      runs/10: failed: the loss is NaN
      runs/11: failed: the loss is NaN
      … and 2 more"
  `);
});
