import { displayPath, messageOf } from '../../errors.ts';
import type { Network, NetworkOutputs } from '../../trained/network.ts';
import { sizeOf } from '../../util/shape.ts';
import { onnxRuntimeMissing } from '../errors.ts';
import type { ImageType } from './index.ts';

/** Installed by who uses it: not needed for anything else, and without types. */
const ONNX_RUNTIME: string = 'onnxruntime-node';

/** What is used of it. */
export interface OnnxRuntime {
  InferenceSession: { create(model: string | Uint8Array): Promise<OnnxSession> };
  Tensor: new (type: 'uint8' | 'float32', data: Uint8Array | Float32Array, dims: readonly number[]) => unknown;
}

export interface OnnxSession {
  run(feeds: Record<string, unknown>): Promise<Record<string, { data: ArrayLike<number> }>>;
  release?(): Promise<void>;
}

/**
 * Loads onnxruntime-node.
 *
 * @param path - the model that it is needed for
 * @throws {TailmixError} ONNX_RUNTIME
 */
export async function loadRuntime(path: string): Promise<OnnxRuntime> {
  const runtime = (await import(ONNX_RUNTIME).catch((cause: unknown) => {
    throw onnxRuntimeMissing(displayPath(path), messageOf(cause));
  })) as unknown as OnnxRuntime & { default?: OnnxRuntime };
  return runtime.default ?? runtime;
}

/**
 * Opens an exported model.
 *
 * @param model - its file or its bytes
 * @param path - what messages call it
 */
export async function openOnnx(
  model: string | Uint8Array,
  path: string,
  imageShape: readonly number[],
): Promise<Pick<Network, 'run' | 'dispose'>> {
  const { InferenceSession, Tensor } = await loadRuntime(path);
  const session = await InferenceSession.create(model);
  const outputsOf = async (type: ImageType, images: Uint8Array, count: number): Promise<NetworkOutputs> => {
    const values = type === 'uint8' ? images : Float32Array.from(images);
    const { logits, features } = await session.run({ images: new Tensor(type, values, [count, ...imageShape]) });
    return { logits: logits!.data as Float32Array, features: features!.data as Float32Array };
  };
  const black = new Uint8Array(sizeOf(imageShape));
  const type = await outputsOf('uint8', black, 1).then(
    () => 'uint8' as const,
    async () => {
      await outputsOf('float32', black, 1);
      return 'float32' as const;
    },
  );
  return {
    run: (images, count) => outputsOf(type, images, count),
    dispose: async () => session.release?.(),
  };
}
