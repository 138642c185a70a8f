import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { diagnose } from '../../src/backend/doctor.ts';
import { loadBackend, requireFromTfjsNode } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { runCommand } from '../../src/backend/run-command.ts';

const missing = whyNotNative('native');
if (missing !== null) console.warn(`SKIPPED: the native backend is not tested, ${missing}`);

const native = test.skipIf(missing !== null);

native('the imported tfjs runs on the native backend, one engine for both', async () => {
  const backend = await loadBackend('native');
  expect(backend).toMatchObject({ name: 'native', tensorflow: '2.21.0', reason: 'requested by name' });
  expect(tf.getBackend()).toBe('tensorflow');

  const nativeBefore = backend.binding!.getNumOfTensors();
  const before = tf.memory();
  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const y = tf.matMul(x, x);
  expect([...y.dataSync()]).toEqual([7, 10, 15, 22]);
  expect(backend.binding!.getNumOfTensors()).toBe(nativeBefore + 2);
  expect(tf.memory().numTensors).toBe(before.numTensors + 2);
  tf.dispose([x, y]);
  expect(tf.memory().numTensors).toBe(before.numTensors);
  expect(backend.binding!.getNumOfTensors()).toBe(nativeBefore);
});

native('kernels and gradients of tfjs-node are registered', async () => {
  await loadBackend('native');
  const filter = tf.ones([3, 3, 2, 4]);
  const gradient = tf.grad((f) => tf.conv2d(tf.ones([1, 5, 5, 2]) as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid').sum())(
    filter,
  );
  expect(new Set(gradient.dataSync())).toEqual(new Set([9]));
});

native('protobuf messages of tfjs-node can be required', async () => {
  await loadBackend('native');
  const messages = requireFromTfjsNode<Record<string, unknown>>('dist/proto/api_pb');
  expect(messages).toHaveProperty('GraphDef');
  expect(messages).toHaveProperty('SavedModel');
});

native('nothing is printed while TensorFlow loads and works', async () => {
  const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
  const script = fileURLToPath(new URL('./fixtures/load-and-multiply.ts', import.meta.url));
  const { TF_CPP_MIN_LOG_LEVEL: _level, TF_ENABLE_ONEDNN_OPTS: _oneDnn, ...env } = process.env;
  expect(await runCommand([process.execPath, jiti, script], { env })).toEqual({
    code: 0,
    stdout: 'native 3\n',
    stderr: '',
  });
});

native('doctor reports TensorFlow with oneDNN', async () => {
  const { findings, backend } = await diagnose();
  expect(backend).toMatchObject({ tensorflow: '2.21.0' });
  const byName = new Map(findings.map(({ name, value }) => [name, value]));
  expect(byName.get('oneDNN')).toBe('on');
  expect(byName.get('native build')).toContain('TensorFlow 2.21.0, tfjs-node 4.22.0');
  expect(findings.filter(({ status }) => status === 'problem')).toEqual([]);
});
