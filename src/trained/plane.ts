import { readRows } from '../data/inspect/scan.ts';
import { displayPath } from '../errors.ts';
import type { RunInfo } from '../run.ts';
import { notInThePlane } from './errors.ts';
import { openNetwork } from './network.ts';
import type { TrainedRun } from './open.ts';
import { softmax } from './predict.ts';

/** Values of a coordinate: those of a uint8 pixel. */
const STEPS = 256;

/** What a network of two classes says of every point of the plane, and the points that it was trained on. */
export interface Plane {
  /** Points of a side of the grid. */
  side: number;
  /** `[side × side]`, rows from the highest y down: probability of class 1. */
  probability: Float32Array;
  /** Training points; x and y from 0 to 1, y upwards. */
  points: { x: number; y: number; label: number }[];
}

/** Whether images are points in the plane, of two classes. */
export const isInThePlane = ({ imageShape, classes }: Pick<RunInfo, 'imageShape' | 'classes'>): boolean =>
  String(imageShape) === '1,1,2' && classes.length === 2;

/**
 * Evaluates a run on points in the plane (images `[1, 1, 2]`) over a grid.
 *
 * @param run - opened with `readImages`; its backend must be loaded
 * @param every - steps of a pixel value from one point of the grid to the next
 * @throws {TailmixError} FIGURE_NO_PLANE where its images are no points in the plane, or its classes are not two
 */
export async function evaluatePlane(run: TrainedRun, every = 2): Promise<Plane> {
  const { imageShape, classes } = run.info;
  if (!isInThePlane(run.info)) throw notInThePlane(displayPath(run.directory), imageShape, classes.length);
  const side = STEPS / every;
  const network = openNetwork(run);
  try {
    const images = new Uint8Array(2 * side * side);
    for (let at = 0; at < side * side; at++) {
      images[2 * at] = every * (at % side);
      images[2 * at + 1] = STEPS - 1 - every * Math.floor(at / side);
    }
    const { logits } = network.run(images, side * side);
    const probability = new Float32Array(side * side);
    for (let at = 0; at < probability.length; at++) {
      probability[at] = softmax(logits.subarray(2 * at, 2 * at + 2))[1]!;
    }
    return { side, probability, points: await pointsOf(run) };
  } finally {
    network.dispose();
  }
}

async function pointsOf({ data: { train } }: TrainedRun): Promise<Plane['points']> {
  const pixels = await readRows(train.split, [1, 1, 2], train.indices);
  const share = (value: number) => value / (STEPS - 1);
  return pixels.map(([x, y], i) => ({ x: share(x!), y: share(y!), label: train.split.labels[train.indices[i]!]! }));
}
