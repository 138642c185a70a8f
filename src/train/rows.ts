import type { Composition } from '../compose/types.ts';
import { shapesAfter } from '../data/transforms/augment.ts';
import type { LoadedData, OtherRows } from '../data/types.ts';
import { messageOf } from '../errors.ts';
import { returnedWrong } from '../step/errors.ts';

/**
 * Where the loader finds the rows of each group, in the order of the pool.
 *
 * @throws {TailmixError} RETURNED_WRONG where transforms of a plugin's group do not end at the shape that the model takes.
 */
export function groupSources({ groups }: Pick<Composition, 'groups'>, data: LoadedData): OtherRows[] {
  const { shape, packShape = shape, keptShape } = data.info;
  return Object.entries(groups).map(([key, group]): OtherRows => {
    const { augment } = group;
    const drawn = group.view && group.of !== undefined ? groups[group.of]! : group;
    const subset = !drawn.view && drawn.from === 'validation' ? data.validation! : data.train;
    if (augment === null) return { key, split: subset.split };
    try {
      shapesAfter(augment, keptShape ?? packShape, shape, keptShape !== undefined);
    } catch (error) {
      const [plugin = key, part = key] = key.split('/');
      throw returnedWrong(
        { plugin, hook: 'rows' },
        {
          part: `${part}.augment`,
          expected: 'transforms that end at the shape of the model',
          got: messageOf(error).replace(/\.$/, ''),
        },
      );
    }
    return { key, split: subset.split, augment };
  });
}
