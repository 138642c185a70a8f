import type { Classifier } from '../classifier.ts';
import type { ExportedFile } from '../files.ts';
import { photoGeometry } from '../geometry.ts';
import { PORTS } from '../graph-nodes.ts';
import { type PhotoOps, type PhotoType, type PhotoValue, photoGraph } from '../photo-graph.ts';
import { bytesAs } from '../photo-nodes.ts';
import type { ImageType } from './index.ts';
import { ONNX_TYPES, type OnnxNode, type OnnxTensor, onnxBytes } from './proto.ts';

/**
 * `photo.onnx`: makes `images`, a batch of one, of `photo`, `[height, width, channels]` uint8 of any size. None where images
 * are no photos.
 */
export function photoModel(classifier: Classifier, images: ImageType): ExportedFile[] {
  const geometry = photoGeometry(classifier);
  if (geometry === null) return [];
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const emit = (
    op: string,
    type: PhotoType,
    inputs: readonly PhotoValue[],
    attributes: OnnxNode['attributes'] = {},
  ): PhotoValue => {
    const name = `${op.toLowerCase()}_${nodes.length}`;
    nodes.push({ op, inputs: inputs.map((input) => input.name), outputs: [name], attributes });
    return { name, type };
  };
  const ops: PhotoOps = {
    constant(type, values, shape) {
      const name = `const_${constants.length}`;
      constants.push({ name, type, shape, data: bytesAs(type, values) });
      return { name, type };
    },
    cast: (x, type) => emit('Cast', type, [x], { to: ONNX_TYPES[type] }),
    shape: (x) => emit('Shape', 'int64', [x]),
    unary: (op, x) => emit(op, x.type, [x]),
    binary: (op, a, b) => emit(op, a.type, [a, b]),
    reduce: (op, x, axis) =>
      op === 'Sum'
        ? emit('ReduceSum', x.type, [x, ops.constant('int64', [axis], [1])])
        : emit(`Reduce${op}`, x.type, [x], { axes: [axis], keepdims: 0 }),
    range: (from, to) => emit('Range', from.type, [from, to, ops.constant(from.type, [1], [])]),
    expand: (x, axis) => emit('Unsqueeze', x.type, [x, ops.constant('int64', [axis], [1])]),
    gather: (x, indices) => emit('Gather', x.type, [x, indices]),
    swap: (x) => emit('Transpose', x.type, [x], { perm: [1, 0, 2] }),
    product: (a, b) => emit('MatMul', a.type, [a, b]),
  };
  const made = ops.cast(photoGraph(ops, { name: PORTS.photo, type: 'uint8' }, geometry), images);
  const content = onnxBytes({
    name: PORTS.photo,
    producer: { name: 'tailmix', version: classifier.about.tailmix },
    nodes: [...nodes, { op: 'Identity', inputs: [made.name], outputs: [PORTS.images], attributes: {} }],
    constants,
    inputs: [{ name: PORTS.photo, type: 'uint8', shape: ['height', 'width', geometry.shape[2]] }],
    outputs: [{ name: PORTS.images, type: images, shape: [1, ...geometry.shape] }],
    metadata: {},
  });
  return [{ path: 'photo.onnx', content }];
}
