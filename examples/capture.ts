/**
 * A TensorFlow.js function as one TensorFlow graph, outside of training: gradient descent on a straight line.
 *
 *   npx jiti examples/capture.ts
 */
import { loadBackend } from 'tailmix';
import { capture } from 'tailmix/graph';

const RATE = 0.1;

/** Fits y = slope · x + offset to points and returns slope and offset. */
export async function fitLine(
  x: Float32Array,
  y: Float32Array,
  steps = 200,
): Promise<{ slope: number; offset: number }> {
  const backend = await loadBackend('native');
  const shape = [x.length];
  const descend = capture(
    ({ slope, offset }, { x, y }) => {
      const error = x!.mul(slope!).add(offset!).sub(y!);
      return {
        state: {
          slope: slope!.sub(
            error
              .mul(x!)
              .mean()
              .mul(2 * RATE),
          ),
          offset: offset!.sub(error.mean().mul(2 * RATE)),
        },
        outputs: { loss: error.square().mean() },
      };
    },
    backend,
    {
      inputs: { x: { shape, dtype: 'float32' }, y: { shape, dtype: 'float32' } },
      state: { slope: { shape: [], values: new Float32Array(1) }, offset: { shape: [], values: new Float32Array(1) } },
    },
  );
  for (let step = 0; step < steps; step++) descend.run({ x, y });
  const { slope, offset } = descend.read();
  descend.dispose();
  return { slope: slope![0]!, offset: offset![0]! };
}
