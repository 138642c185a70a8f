import { TailmixError } from 'tailmix';

/** Images that cannot be cut into the blocks that were asked for, or into any. */
export const blocksUneven = (
  blocks: readonly number[],
  [height, width]: readonly [number, number, ...unknown[]],
): TailmixError =>
  new TailmixError(
    `[puzzle-mix] blocks: expected numbers of blocks per side that divide ${height} × ${width} pixels; got ${blocks.join(', ')}. Choose others, or images of another size.`,
    { code: 'BLOCKS_UNEVEN', kind: 'config', plugin: 'puzzle-mix', path: 'blocks' },
  );
