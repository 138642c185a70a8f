// The parts of TensorFlow.js that tailmix and its users need, as one module: what `@tensorflow/tfjs` exports without WebGL
// and `tf.data`. bundle.mjs makes dist/tfjs of it.
import '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops';

export * from '@tensorflow/tfjs-backend-cpu';
export * from '@tensorflow/tfjs-converter';
export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
