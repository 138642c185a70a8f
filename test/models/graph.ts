import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomStream } from '../../src/random.ts';
import { sizeOf } from '../../src/util/shape.ts';

/** Weights of {@link saveGraph}'s network. */
export const graphWeights = {
  filter: values('filter', [3, 3, 3, 8], 0.3),
  bias: values('bias', [8], 0.1),
  dense: values('dense', [8, 7], 0.5),
};

function values(name: string, shape: number[], deviation: number): { shape: number[]; values: Float32Array } {
  const random = randomStream('graph', name);
  const size = sizeOf(shape);
  return { shape, values: Float32Array.from({ length: size }, () => deviation * random.normal()) };
}

const text = (value: string): object => ({ s: Buffer.from(value).toString('base64') });
const type = (value: string): object => ({ type: value });
const ones = { list: { i: ['1', '1', '1', '1'] } };

/**
 * Writes a GraphModel as tensorflowjs_converter does: a strided convolution, ReLU, the average over height and width
 * (`pool`, whose axes are a constant of the graph), a dense layer and a softmax. Gives the path of its `model.json`.
 */
export async function saveGraph(folder: string): Promise<string> {
  const T = type('DT_FLOAT');
  const constant = (name: string, dtype = 'DT_FLOAT'): object => ({ name, op: 'Const', attr: { dtype: type(dtype) } });
  const images = [{ size: '-1' }, { size: '8' }, { size: '8' }, { size: '3' }];
  const node = [
    { name: 'images', op: 'Placeholder', attr: { dtype: T, shape: { shape: { dim: images } } } },
    ...['filter', 'bias', 'dense'].map((name) => constant(name)),
    constant('axes', 'DT_INT32'),
    {
      name: 'conv',
      op: 'Conv2D',
      input: ['images', 'filter'],
      attr: {
        T,
        strides: { list: { i: ['1', '2', '2', '1'] } },
        dilations: ones,
        padding: text('SAME'),
        data_format: text('NHWC'),
      },
    },
    { name: 'biased', op: 'BiasAdd', input: ['conv', 'bias'], attr: { T, data_format: text('NHWC') } },
    { name: 'relu', op: 'Relu', input: ['biased'], attr: { T } },
    { name: 'pool', op: 'Mean', input: ['relu', 'axes'], attr: { T, Tidx: type('DT_INT32'), keep_dims: { b: false } } },
    {
      name: 'logits',
      op: 'MatMul',
      input: ['pool', 'dense'],
      attr: { T, transpose_a: { b: false }, transpose_b: { b: false } },
    },
    { name: 'probabilities', op: 'Softmax', input: ['logits'], attr: { T } },
  ];
  const weights = Object.entries(graphWeights).map(([name, { shape }]) => ({ name, shape, dtype: 'float32' }));
  const model = {
    format: 'graph-model',
    generatedBy: '2.21.0',
    convertedBy: 'TensorFlow.js Converter v4.22.0',
    modelTopology: { node, versions: { producer: 1882 } },
    weightsManifest: [
      { paths: ['group1-shard1of1.bin'], weights: [...weights, { name: 'axes', shape: [2], dtype: 'int32' }] },
    ],
  };
  const floats = Object.values(graphWeights).map(({ values: own }) => new Uint8Array(own.buffer));
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'group1-shard1of1.bin'),
    Buffer.concat([...floats, new Uint8Array(Int32Array.of(1, 2).buffer)]),
  );
  await writeFile(join(folder, 'model.json'), JSON.stringify(model));
  return join(folder, 'model.json');
}
