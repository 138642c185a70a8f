import { PORTS } from '../graph-nodes.ts';
import type { ImageType } from './index.ts';
import { type OnnxModel, onnxBytes } from './proto.ts';
import type { Range } from './quantize.ts';
import type { OnnxRuntime } from './runtime.ts';

/**
 * Least and largest value of tensors over images. What is not of float32 has none.
 *
 * @param batches - `[count, height, width, channels]` each
 */
export async function calibrate(
  model: OnnxModel,
  tensors: ReadonlySet<string>,
  batches: AsyncIterable<{ images: Uint8Array; count: number }>,
  { InferenceSession, Tensor }: OnnxRuntime,
): Promise<Map<string, Range>> {
  const [input] = model.inputs;
  const [, ...imageShape] = input!.shape as number[];
  const computed = [...tensors].filter((name) => name !== input!.name);
  const outputs = [...model.outputs, ...computed.map((name) => ({ name, type: 'float32' as const }))];
  const session = await InferenceSession.create(onnxBytes({ ...model, outputs }));
  const ranges = new Map<string, Range>();
  try {
    for await (const { images, count } of batches) {
      const type = input!.type as ImageType;
      const values = type === 'uint8' ? images : Float32Array.from(images);
      const found = await session.run({ [PORTS.images]: new Tensor(type, values, [count, ...imageShape]) });
      if (type === 'float32') widen(ranges, input!.name, values as Float32Array);
      for (const name of computed) {
        const { data } = found[name]!;
        if (data instanceof Float32Array) widen(ranges, name, data);
      }
    }
    return ranges;
  } finally {
    await session.release?.();
  }
}

function widen(ranges: Map<string, Range>, name: string, values: Float32Array): void {
  let { min, max } = ranges.get(name) ?? { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  ranges.set(name, { min, max });
}
