import { groupedConvolution } from '../../src/backend/kernels/index.ts';
import { tf } from '../../src/tf.ts';

/** `x`, `y` in −1…1, `[2, 4, 4, 3]`; `m` `[4, 3]`; `v` `[6]`; `n` `[6]` int32 in 0…3; `b` `[6]` bool; `p` is |x| + 0.5. */
interface Given {
  x: tf.Tensor4D;
  y: tf.Tensor4D;
  p: tf.Tensor4D;
  m: tf.Tensor2D;
  v: tf.Tensor1D;
  n: tf.Tensor1D;
  b: tf.Tensor1D;
}

type Case = (given: Given) => tf.Tensor | tf.Tensor[];

/** Calls of the tfjs API, by name. */
export const cases: Record<string, Case> = {
  abs: ({ x }) => tf.abs(x),
  acos: ({ x }) => tf.acos(x),
  acosh: ({ p }) => tf.acosh(p.add(1)),
  add: ({ x, y }) => tf.add(x, y),
  'add, broadcast': ({ x, m }) => tf.add(x, m),
  addN: ({ x, y, p }) => tf.addN([x, y, p]),
  all: ({ b }) => tf.all(b),
  any: ({ b }) => tf.any(b, 0, true),
  argMax: ({ x }) => tf.argMax(x, 3),
  argMin: ({ x }) => tf.argMin(x, 1),
  asin: ({ x }) => tf.asin(x),
  asinh: ({ x }) => tf.asinh(x),
  atan: ({ x }) => tf.atan(x),
  atan2: ({ x, y }) => tf.atan2(x, y),
  atanh: ({ x }) => tf.atanh(x.mul(0.9)),
  avgPool: ({ x }) => tf.avgPool(x, 2, 1, 'same'),
  avgPool3d: ({ x }) => tf.avgPool3d(x.expandDims(0), 2, 1, 'same'),
  'avgPool gradient': ({ x }) => tf.grad((a) => tf.avgPool(a as tf.Tensor4D, 2, 2, 'valid').square())(x),
  batchNorm: ({ x, v }) => tf.batchNorm(x, v.slice(0, 3), tf.abs(v.slice(3, 3)), tf.ones([3]), tf.zeros([3])),
  batchToSpaceND: ({ x }) =>
    tf.batchToSpaceND(
      x.concat(x),
      [2, 2],
      [
        [0, 0],
        [1, 1],
      ],
    ),
  bincount: ({ n }) => tf.bincount(n, tf.ones([6]), 5),
  booleans: ({ b }) => tf.logicalXor(b, tf.logicalNot(b.reverse())),
  broadcastTo: ({ v }) => tf.broadcastTo(v, [3, 6]),
  cast: ({ x, n, b }) => [tf.cast(x.mul(3), 'int32'), tf.cast(n, 'float32'), tf.cast(b, 'int32'), tf.cast(n, 'bool')],
  ceil: ({ x }) => tf.ceil(x.mul(3)),
  clipByValue: ({ x }) => tf.clipByValue(x, -0.25, 0.5),
  clone: ({ x }) => x.clone().square(),
  complex: ({ v }) => [tf.real(tf.complex(v, v.mul(2))), tf.imag(tf.complex(v, v.mul(2))), tf.abs(tf.complex(v, v))],
  concat: ({ x, y, p }) => tf.concat([x, y, p], 3),
  conv1d: ({ x }) => tf.conv1d(x.reshape([2, 16, 3]), tf.ones([3, 3, 2]), 1, 'same'),
  conv2d: ({ x }) => tf.conv2d(x, tf.range(0, 54).reshape([3, 3, 3, 2]), 2, 'same'),
  'conv2d, explicit padding': ({ x }) =>
    tf.conv2d(x, tf.range(0, 54).reshape([3, 3, 3, 2]), 2, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]),
  'conv2d, dilated': ({ x }) => tf.conv2d(x, tf.range(0, 24).reshape([2, 2, 3, 2]), 1, 'valid', 'NHWC', [2, 2]),
  'conv2d gradients': ({ x }) =>
    tf.grads((a, k) => tf.conv2d(a as tf.Tensor4D, k as tf.Tensor4D, 1, 'same').square())([
      x,
      tf.range(0, 54).div(54).reshape([3, 3, 3, 2]),
    ]),
  conv2dTranspose: ({ x }) => tf.conv2dTranspose(x, tf.ones([2, 2, 2, 3]), [2, 8, 8, 2], 2, 'same'),
  conv3d: ({ x }) => tf.conv3d(x.expandDims(0), tf.ones([2, 2, 2, 3, 2]), 1, 'same'),
  cos: ({ x }) => tf.cos(x),
  cosh: ({ x }) => tf.cosh(x),
  cropAndResize: ({ x }) =>
    tf.image.cropAndResize(x, tf.tensor2d([[0, 0, 0.5, 1]]), tf.tensor1d([1], 'int32'), [3, 3], 'bilinear'),
  cumsum: ({ m }) => tf.cumsum(m, 0, true, true),
  cumprod: ({ m }) => tf.cumprod(m, 1),
  depthToSpace: ({ x }) => tf.depthToSpace(tf.concat([x, x, x, x], 3), 2),
  depthwiseConv2d: ({ x }) => tf.depthwiseConv2d(x, tf.ones([2, 2, 3, 2]), 1, 'same'),
  'depthwiseConv2d gradients': ({ x }) =>
    tf.grads((a, k) => tf.depthwiseConv2d(a as tf.Tensor4D, k as tf.Tensor4D, 1, 'same').square())([
      x,
      tf.ones([2, 2, 3, 1]),
    ]),
  'filter gradient of a strided 1×1 convolution': ({ x }) =>
    tf.grad((k) => tf.conv2d(x, k as tf.Tensor4D, 2, 'valid').square())(tf.linspace(-1, 1, 12).reshape([1, 1, 3, 4])),
  'grouped convolution and its gradients': ({ x }) => {
    const filter = tf.linspace(-1, 1, 3 * 3 * 6).reshape([3, 3, 1, 6]);
    const convolve = (a: tf.Tensor, k: tf.Tensor) => groupedConvolution(a, k, { stride: 1, pad: 'same' });
    return [convolve(x, filter), ...tf.grads((a, k) => convolve(a!, k!).square())([x, filter])];
  },
  diag: ({ v }) => tf.diag(v),
  dilation2d: ({ x }) => tf.dilation2d(x, tf.ones([2, 2, 3]), 1, 'same'),
  div: ({ x, p }) => tf.div(x, p),
  divNoNan: ({ x }) => tf.divNoNan(x, x.relu()),
  dot: ({ v }) => tf.dot(v, v),
  'dropout, seeded': ({ v }) => tf.dropout(v, 0.5, undefined, 7),
  einsum: ({ m }) => tf.einsum('ij,ik->jk', m, m),
  elu: ({ x }) => tf.elu(x),
  'elu gradient': ({ x }) => tf.grad((a) => tf.elu(a))(x),
  equal: ({ n }) => tf.equal(n, n.reverse()),
  erf: ({ x }) => tf.erf(x),
  exp: ({ x }) => tf.exp(x),
  expandDims: ({ x }) => tf.expandDims(x, 2),
  expm1: ({ x }) => tf.expm1(x),
  eye: ({ m }) => tf.matMul(tf.eye(4), m),
  fft: ({ v }) => tf.real(tf.spectral.fft(tf.complex(v, v.mul(0)))),
  fill: ({ v }) => tf.fill([6], 2.5).add(v),
  flipLeftRight: ({ x }) => tf.image.flipLeftRight(x),
  floor: ({ x }) => tf.floor(x.mul(3)),
  floorDiv: ({ n }) => tf.floorDiv(n.mul(7), n.add(1)),
  'fused conv2d': ({ x }) =>
    tf.fused.conv2d({
      x,
      filter: tf.ones([2, 2, 3, 2]),
      strides: 1,
      pad: 'same',
      bias: tf.ones([2]),
      activation: 'relu',
    }),
  'fused matMul': ({ m }) => tf.fused.matMul({ a: m, b: m, transposeA: true, bias: tf.ones([3]), activation: 'elu' }),
  gather: ({ m, n }) => tf.gather(m, n),
  'gather, axis': ({ m, n }) => tf.gather(m, tf.clipByValue(n, 0, 2).toInt(), 1),
  'gather gradient': ({ m, n }) => tf.grad((a) => tf.gather(a, n).square())(m),
  gatherND: ({ m, n }) => tf.gatherND(m, n.reshape([6, 1])),
  greater: ({ x, y }) => tf.greater(x, y),
  greaterEqual: ({ x, y }) => tf.greaterEqual(x, y),
  ifft: ({ v }) => tf.imag(tf.spectral.ifft(tf.complex(v, v.mul(3)))),
  isFinite: ({ x }) => tf.isFinite(tf.div(1, x.relu())),
  isInf: ({ x }) => tf.isInf(tf.div(1, x.relu())),
  isNaN: ({ x }) => tf.isNaN(tf.sqrt(x)),
  leakyRelu: ({ x }) => tf.leakyRelu(x, 0.3),
  less: ({ x, y }) => tf.less(x, y),
  lessEqual: ({ x, y }) => tf.lessEqual(x, y),
  linspace: ({ v }) => tf.linspace(0, 1, 6).mul(v),
  localResponseNormalization: ({ x }) => tf.localResponseNormalization(x, 2, 1, 0.5, 0.75),
  log: ({ p }) => tf.log(p),
  log1p: ({ p }) => tf.log1p(p),
  logSigmoid: ({ x }) => tf.logSigmoid(x),
  logSoftmax: ({ m }) => tf.logSoftmax(m),
  logSumExp: ({ m }) => tf.logSumExp(m, 1),
  logicalAnd: ({ b }) => tf.logicalAnd(b, b.reverse()),
  logicalOr: ({ b }) => tf.logicalOr(b, b.reverse()),
  losses: ({ m, n }) => tf.losses.softmaxCrossEntropy(tf.oneHot(n.slice(0, 4), 3), m),
  matMul: ({ m }) => tf.matMul(m, m, false, true),
  'matMul, batched': ({ x }) => tf.matMul(x, x, true, false),
  max: ({ x }) => tf.max(x, [1, 2]),
  maxPool: ({ x }) => tf.maxPool(x, 3, 2, 'same'),
  maxPool3d: ({ x }) => tf.maxPool3d(x.expandDims(0), 2, 1, 'same'),
  'maxPool gradient': ({ x }) => tf.grad((a) => tf.maxPool(a as tf.Tensor4D, 2, 2, 'valid').square())(x),
  maximum: ({ x, y }) => tf.maximum(x, y),
  mean: ({ x }) => tf.mean(x, [0, 2], true),
  min: ({ x }) => tf.min(x),
  minimum: ({ x, y }) => tf.minimum(x, y),
  mirrorPad: ({ x }) =>
    tf.mirrorPad(
      x,
      [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0],
      ],
      'reflect',
    ),
  mod: ({ x, p }) => tf.mod(x.mul(5), p),
  moments: ({ x }) => Object.values(tf.moments(x, [0, 1, 2])),
  mul: ({ x, y }) => tf.mul(x, y),
  'mul, int32': ({ n }) => tf.mul(n, n.reverse()),
  neg: ({ x }) => tf.neg(x),
  norm: ({ m }) => tf.norm(m, 'euclidean', 1),
  notEqual: ({ n }) => tf.notEqual(n, n.reverse()),
  oneHot: ({ n }) => tf.oneHot(n, 4, 0.9, 0.1),
  onesLike: ({ x }) => tf.onesLike(x).add(x),
  pad: ({ x }) =>
    tf.pad(
      x,
      [
        [0, 0],
        [1, 2],
        [0, 1],
        [2, 0],
      ],
      0.5,
    ),
  'pad gradient': ({ m }) =>
    tf.grad((a) =>
      tf
        .pad(a, [
          [1, 1],
          [0, 2],
        ])
        .square(),
    )(m),
  pow: ({ p }) => tf.pow(p, 1.5),
  prelu: ({ x }) => tf.prelu(x as tf.Tensor, tf.tensor1d([0.1, 0.2, 0.3])),
  prod: ({ p }) => tf.prod(p, 3),
  'qr gradient free': ({ m }) => tf.linalg.bandPart(m, 1, 0),
  range: ({ v }) => tf.range(0, 6, 1).mul(v),
  reciprocal: ({ p }) => tf.reciprocal(p),
  relu: ({ x }) => tf.relu(x),
  relu6: ({ x }) => tf.relu6(x.mul(10)),
  reshape: ({ x }) => tf.reshape(x, [8, -1]),
  resizeBilinear: ({ x }) => tf.image.resizeBilinear(x, [7, 5], true),
  'resizeBilinear gradient': ({ x }) => tf.grad((a) => tf.image.resizeBilinear(a as tf.Tensor4D, [2, 3]).square())(x),
  resizeNearestNeighbor: ({ x }) => tf.image.resizeNearestNeighbor(x, [2, 9]),
  reverse: ({ x }) => tf.reverse(x, [1, 3]),
  rfft: ({ v }) => tf.real(tf.spectral.rfft(v)),
  round: ({ x }) => tf.round(x.mul(3)),
  rsqrt: ({ p }) => tf.rsqrt(p),
  scatterND: ({ n, v }) => tf.scatterND(n.reshape([6, 1]), v, [4]),
  selu: ({ x }) => tf.selu(x),
  separableConv2d: ({ x }) => tf.separableConv2d(x, tf.ones([2, 2, 3, 1]), tf.ones([1, 1, 3, 2]), 1, 'same'),
  sigmoid: ({ x }) => tf.sigmoid(x),
  'sigmoid gradient': ({ x }) => tf.grad((a) => tf.sigmoid(a))(x),
  sign: ({ x }) => tf.sign(x),
  sin: ({ x }) => tf.sin(x),
  sinh: ({ x }) => tf.sinh(x),
  slice: ({ x }) => tf.slice(x, [0, 1, 0, 1], [2, 2, -1, 2]),
  'slice gradient': ({ m }) => tf.grad((a) => tf.slice(a, [1, 0], [2, 2]).square())(m),
  softmax: ({ m }) => tf.softmax(m),
  'softmax gradient': ({ m }) => tf.grad((a) => tf.softmax(a).square())(m),
  softplus: ({ x }) => tf.softplus(x),
  spaceToBatchND: ({ x }) =>
    tf.spaceToBatchND(
      x,
      [2, 2],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  'split, multi-output': ({ x }) => tf.split(x, [1, 2], 3),
  sqrt: ({ p }) => tf.sqrt(p),
  square: ({ x }) => tf.square(x),
  squaredDifference: ({ x, y }) => tf.squaredDifference(x, y),
  squeeze: ({ v }) => tf.squeeze(v.reshape([1, 6, 1])),
  stack: ({ x, y }) => tf.stack([x, y], 2),
  step: ({ x }) => tf.step(x, 0),
  stridedSlice: ({ x }) => tf.stridedSlice(x, [0, 0, 3, 0], [2, 4, 0, 3], [1, 2, -1, 1]),
  sub: ({ x, y }) => tf.sub(x, y),
  sum: ({ x }) => tf.sum(x, -1),
  'sum, int32': ({ n }) => tf.sum(n),
  tan: ({ x }) => tf.tan(x),
  tanh: ({ x }) => tf.tanh(x),
  tensorScatterUpdate: ({ m }) => tf.tensorScatterUpdate(m, tf.tensor2d([[1], [3]], [2, 1], 'int32'), tf.zeros([2, 3])),
  tile: ({ m }) => tf.tile(m, [2, 3]),
  topk: ({ m }) => Object.values(tf.topk(m, 2)),
  transpose: ({ x }) => tf.transpose(x, [3, 0, 2, 1]),
  'transpose gradient': ({ m }) => tf.grad((a) => tf.transpose(a).square())(m),
  unsortedSegmentSum: ({ m, n }) => tf.unsortedSegmentSum(m, n.slice(0, 4), 4),
  unstack: ({ m }) => tf.unstack(m, 1),
  where: ({ x, y }) => tf.where(tf.greater(x, 0), x, y),
  zerosLike: ({ x }) => tf.zerosLike(x),
  'string: static regex replace': ({ v }) =>
    tf
      .equal(
        tf.string.staticRegexReplace(tf.tensor1d(['ab', 'bb', 'cb', 'xb', 'a', 'b']), 'b+', 'x', false),
        tf.tensor1d(['ax', 'x', 'cx', 'no', 'a', 'x']),
      )
      .mul(v),
};
