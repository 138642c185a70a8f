import type { Lowering } from '../op-call.ts';
import { collectives } from './collectives.ts';
import { convolutions } from './convolutions.ts';
import { custom } from './custom.ts';
import { elementwise } from './elementwise.ts';
import { images } from './images.ts';
import { indexing } from './indexing.ts';
import { norms } from './norms.ts';
import { pooling } from './pooling.ts';
import { products } from './products.ts';
import { random } from './random.ts';
import { reductions } from './reductions.ts';
import { shapes } from './shapes.ts';

/** How each op of TensorFlow is written in StableHLO, by name. */
export const lowerings: ReadonlyMap<string, Lowering> = new Map(
  [
    elementwise,
    reductions,
    shapes,
    indexing,
    products,
    convolutions,
    pooling,
    norms,
    images,
    random,
    custom,
    collectives,
  ].flatMap((table) => Object.entries(table)),
);
