import { DT } from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import type { Builder, Value } from '../builder.ts';
import { flagOf, type Lowerings, numbersOf, type OpCall } from '../op-call.ts';
import { tensorType } from '../types.ts';
import { dot } from './products.ts';

/** Where pixel `i` of a scaled axis lies in the axis that it is made from. */
function sourceOf(call: OpCall, i: number, from: number, to: number): number {
  const aligned = flagOf(call, 'align_corners') && to > 1;
  const scale = Math.fround(aligned ? (from - 1) / (to - 1) : from / to);
  return flagOf(call, 'half_pixel_centers') ? Math.fround(Math.fround(i + 0.5) * scale) - 0.5 : Math.fround(i * scale);
}

/** `[to, from]`: what each pixel of a scaled axis takes of which, linearly. */
function linear(call: OpCall, from: number, to: number): Value {
  const weights = new Array<number>(to * from).fill(0);
  for (let i = 0; i < to; i++) {
    const at = sourceOf(call, i, from, to);
    const low = Math.max(0, Math.floor(at));
    const high = Math.min(from - 1, Math.ceil(at));
    const part = Math.fround(at - Math.floor(at));
    weights[i * from + Math.min(low, from - 1)]! += 1 - part;
    weights[i * from + high]! += part;
  }
  return call.b.list(weights, [to, from]);
}

/** Applies `[to, from]`, or its transpose, to an axis of images. */
function along(call: OpCall, x: Value, matrix: Value, axis: 1 | 2, back: boolean): Value {
  const made = dot(call.b, 'HIGHEST', x, matrix, { batch: [[], []], sum: [[axis], [back ? 0 : 1]] });
  return call.b.transpose(made, axis === 1 ? [0, 3, 1, 2] : [0, 1, 3, 2]);
}

/** A pixel for each place of a scaled axis, by matrices that pick one. */
function nearest(call: OpCall, from: number, to: number): number[] {
  const round = flagOf(call, 'align_corners') ? Math.round : Math.floor;
  const half = flagOf(call, 'half_pixel_centers') ? 0.5 : 0;
  return Array.from({ length: to }, (_, i) =>
    Math.min(from - 1, Math.max(0, round(sourceOf(call, i, from, to) + half))),
  );
}

const pickRows = (b: Builder, x: Value, rows: readonly number[], axis: 1 | 2): Value =>
  b.concatenate(
    rows.map((row) => {
      const from = x.shape.map((_, i) => (i === axis ? row : 0));
      return b.slice(
        x,
        from,
        x.shape.map((n, i) => (i === axis ? row + 1 : n)),
      );
    }),
    axis,
  );

const float = ({ b }: OpCall, x: Value): Value => b.convert(x, DT.float32);

/** Images that are scaled, and Fourier transforms. */
export const images: Lowerings = {
  ResizeBilinear: (call) => {
    const x = float(call, call.inputs[0]!);
    const { shape } = call.outputs[0]!;
    const tall = along(call, x, linear(call, x.shape[1]!, shape[1]!), 1, false);
    return [along(call, tall, linear(call, x.shape[2]!, shape[2]!), 2, false)];
  },
  ResizeBilinearGrad: (call) => {
    const dy = float(call, call.inputs[0]!);
    const { shape } = call.outputs[0]!;
    const tall = along(call, dy, linear(call, shape[1]!, dy.shape[1]!), 1, true);
    return [along(call, tall, linear(call, shape[2]!, dy.shape[2]!), 2, true)];
  },
  ResizeNearestNeighbor: (call) => {
    const [x] = call.inputs as [Value];
    const { shape } = call.outputs[0]!;
    const tall = pickRows(call.b, x, nearest(call, x.shape[1]!, shape[1]!), 1);
    return [pickRows(call.b, tall, nearest(call, x.shape[2]!, shape[2]!), 2)];
  },
  /** The largest sum of a window and the filter. */
  Dilation2D: (call) => {
    const { b, inputs, outputs, refuse } = call;
    const [x, filter] = inputs as [Value, Value];
    const [rows, columns, channels] = filter.shape as [number, number, number];
    const ones = ['strides', 'rates'].every((name) => numbersOf(call, name).every((n) => n === 1));
    if (!ones) refuse('it has strides or rates');
    const { shape } = outputs[0]!;
    const around = [rows, columns].map((size, i) => {
      const total = shape[i + 1]! + size - 1 - x.shape[i + 1]!;
      return [Math.floor(total / 2), total - Math.floor(total / 2)] as const;
    });
    const padded = b.pad(
      x,
      b.splat(-Infinity),
      [0, around[0]![0], around[1]![0], 0],
      [0, around[0]![1], around[1]![1], 0],
    );
    const terms = Array.from({ length: rows * columns }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      const part = b.slice(padded, [0, row, column, 0], [shape[0]!, row + shape[1]!, column + shape[2]!, channels]);
      const weight = b.reshape(b.slice(filter, [row, column, 0], [row + 1, column + 1, channels]), [channels]);
      return b.binary('add', part, weight);
    });
    return [terms.reduce((most, term) => b.binary('maximum', most, term))];
  },
  Complex: ({ b, inputs: [re, im], outputs: [out] }) => [
    b.emit(out!, `stablehlo.complex ${re!.id}, ${im!.id} : ${tensorType(out!)}`),
  ],
  Real: ({ b, inputs: [x] }) => [b.unary('real', x!, DT.float32)],
  Imag: ({ b, inputs: [x] }) => [b.unary('imag', x!, DT.float32)],
  ComplexAbs: ({ b, inputs: [x] }) => [b.unary('abs', x!, DT.float32)],
  FFT: ({ b, inputs: [x] }) => [fourier(b, x!, 'FFT')],
  IFFT: ({ b, inputs: [x] }) => [fourier(b, x!, 'IFFT')],
};

const fourier = (b: Builder, x: Value, type: string): Value =>
  b.emit(
    x,
    `stablehlo.fft ${x.id}, type = ${type}, length = [${sizeOf(x.shape.slice(-1))}] : (${tensorType(x)}) -> ${tensorType(x)}`,
  );
