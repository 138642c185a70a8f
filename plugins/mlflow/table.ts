import { type Evaluation, groupOf, type RunSummary } from 'tailmix';

/** Accuracy of each class as a table that MLflow shows and compares between runs. */
export const perClassTable = ({ classes, classCounts, groups }: RunSummary, { perClass }: Evaluation): string =>
  `${JSON.stringify({
    columns: ['class', 'training images', 'group', 'accuracy'],
    data: classes.map((name, label) => {
      const count = classCounts[label]!;
      return [name, count, groupOf(count, groups), perClass[label] ?? null];
    }),
  })}\n`;
