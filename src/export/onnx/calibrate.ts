import { PORTS } from '../graph-nodes.ts';
import type { ImageType } from './index.ts';
import { type OnnxModel, onnxBytes } from './proto.ts';
import type { Range } from './quantize.ts';
import type { OnnxRuntime } from './runtime.ts';

/** Share of a tensor's values that lie below the end of its range, and above the beginning; the rest is clipped. */
const COVERED = 0.9999;
/** Equal parts from the least value to the largest, in which values are counted. */
const BINS = 2048;

/**
 * Ranges of tensors over images: all values but the 0.01% at either end, whose clipping costs less than a coarser scale
 * for all others does. What is not of float32 has none.
 *
 * @param batches - `[count, height, width, channels]` each; they are gone through twice.
 */
export async function calibrate(
  model: OnnxModel,
  tensors: ReadonlySet<string>,
  batches: () => AsyncIterable<{ images: Uint8Array; count: number }>,
  { InferenceSession, Tensor }: OnnxRuntime,
): Promise<Map<string, Range>> {
  const [input] = model.inputs;
  const [, ...imageShape] = input!.shape as number[];
  const computed = [...tensors].filter((name) => name !== input!.name);
  const outputs = [...model.outputs, ...computed.map((name) => ({ name, type: 'float32' as const }))];
  const session = await InferenceSession.create(onnxBytes({ ...model, outputs }));
  const look = async (see: (name: string, values: Float32Array) => void): Promise<void> => {
    for await (const { images, count } of batches()) {
      const type = input!.type as ImageType;
      const values = type === 'uint8' ? images : Float32Array.from(images);
      const found = await session.run({ [PORTS.images]: new Tensor(type, values, [count, ...imageShape]) });
      if (type === 'float32') see(input!.name, values as Float32Array);
      for (const name of computed) {
        const { data } = found[name]!;
        if (data instanceof Float32Array) see(name, data);
      }
    }
  };
  try {
    const ranges = new Map<string, Range>();
    await look((name, values) => void ranges.set(name, widened(ranges.get(name), values)));
    const bins = new Map([...ranges.keys()].map((name) => [name, new Float64Array(BINS)]));
    await look((name, values) => count(bins.get(name)!, ranges.get(name)!, values));
    return new Map([...ranges].map(([name, range]) => [name, covering(range, bins.get(name)!)]));
  } finally {
    await session.release?.();
  }
}

function widened(
  { min, max }: Range = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY },
  values: Float32Array,
): Range {
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

function count(bins: Float64Array, { min, max }: Range, values: Float32Array): void {
  const perUnit = max > min ? BINS / (max - min) : 0;
  for (const value of values) bins[Math.min(BINS - 1, Math.floor((value - min) * perUnit))]!++;
}

/** The part of a range that is left when the outermost values are taken off both ends. */
function covering({ min, max }: Range, bins: Float64Array): Range {
  const spare = bins.reduce((sum, own) => sum + own, 0) * (1 - COVERED);
  const width = (max - min) / BINS;
  const emptied = (from: Float64Array): number => {
    let seen = 0;
    return from.findIndex((own) => {
      seen += own;
      return seen > spare;
    });
  };
  return { min: min + emptied(bins) * width, max: max - emptied(bins.toReversed()) * width };
}
