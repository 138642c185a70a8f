import type { Run } from 'tailmix';
import type { DatasetInput } from 'tailmix/tracking';
import { isTree, type Tree } from './describe.ts';

/** Characters of a digest, as MLflow's own have them; tags and `subset.json` have the whole hash. */
const DIGEST = 8;

/**
 * Data sets of a run: `cifar10 exp-100 train`, `cifar10 test`. The split is a part of the name: name and digest tell them
 * apart, and a run keeps one context for each.
 */
export function datasetsOf({ info, subset, evaluated, config }: Run): DatasetInput[] {
  const { dataset, classCounts, classes, imageShape, features } = info;
  const source = JSON.stringify((isTree(config) && config.data) || { name: dataset });
  const tensor = (dtype: string, shape: readonly number[]): string =>
    JSON.stringify([{ type: 'tensor', 'tensor-spec': { dtype, shape: [-1, ...shape] } }]);
  const schema = JSON.stringify({
    mlflow_tensorspec: { features: tensor(features ? 'float32' : 'uint8', imageShape), targets: tensor('int32', []) },
  });
  const input = (split: string, hash: string, profile: Tree): DatasetInput => ({
    // The images of test are never thinned out.
    name: [dataset, ...(split === 'train' && subset.profile ? [subset.profile] : []), split].join(' '),
    digest: hash.slice(0, DIGEST),
    context: split === 'validation' ? 'eval' : split,
    sourceType: 'local',
    source,
    schema,
    profile: JSON.stringify(profile),
  });
  const present = classCounts.filter((count) => count > 0);
  return [
    input('train', subset.hash, {
      num_rows: info.trainCount,
      num_classes: classes.length,
      imbalance_factor: Math.max(...present) / Math.min(...present),
      class_counts: classCounts,
    }),
    ...(['test', 'validation'] as const).flatMap((split) => {
      const found = evaluated[split];
      return found
        ? [
            input(split, found.hash, {
              num_rows: found.count,
              num_classes: classes.length,
            }),
          ]
        : [];
    }),
  ];
}
