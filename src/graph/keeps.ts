import { tf } from '../tf.ts';

/** Notes whose code keeps tensors (not always whose code made them) until `stop` is called. */
export function watchKeeps(owner: (() => string | undefined) | undefined) {
  const engine = tf.engine();
  const { keep } = engine;
  const kept: { tensor: tf.Tensor; keeper: string | undefined }[] = [];
  engine.keep = (tensor) => {
    kept.push({ tensor, keeper: owner?.() });
    return keep.call(engine, tensor) as typeof tensor;
  };
  return {
    stop(): void {
      engine.keep = keep;
    },
    /** Who kept each tensor that nobody has disposed of. */
    left: () => kept.filter(({ tensor }) => !tensor.isDisposed),
  };
}
