import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type SafeTensors } from '../../src/tracking/safetensors.ts';

const encode = (content: SafeTensors): Buffer => Buffer.concat(encodeSafetensors(content));
const decode = (bytes: Buffer): SafeTensors => decodeSafetensors(bytes, 'file.safetensors');

/** Written by the Python package (test/reference/safetensors-file.py). */
const fromPython = readFileSync(new URL('../reference/safetensors-file.safetensors', import.meta.url));

describe('a file of the Python package', () => {
  test('is read', () => {
    const { tensors, metadata } = decode(fromPython);
    expect(metadata).toEqual({ note: 'ü 100 %' });
    expect(tensors).toEqual({
      counts: { shape: [3], values: Int32Array.of(5000, -3, 2 ** 31 - 1) },
      empty: { shape: [0, 4], values: new Float32Array(0) },
      kernel: { shape: [2, 3], values: Float32Array.of(0.5, -1.25, 3e38, 1e-45, 0.1, -0) },
      scalar: { shape: [], values: Float32Array.of(7.5) },
    });
  });

  test('is written again byte for byte', () => {
    expect(encode(decode(fromPython)).equals(fromPython)).toBe(true);
  });
});

test('whatever is written is read again, bit for bit', () => {
  const floats = fc.record({
    shape: fc.constantFrom([3], [1, 3], [3, 1, 1]),
    values: fc.float32Array({ minLength: 3, maxLength: 3 }),
  });
  const integers = fc.record({ shape: fc.constant([2]), values: fc.int32Array({ minLength: 2, maxLength: 2 }) });
  const name = fc.string().filter((text) => text !== '__metadata__');
  fc.assert(
    fc.property(
      fc.dictionary(name, fc.oneof(floats, integers)),
      fc.dictionary(name, fc.string()),
      (tensors, metadata) => {
        const read = decode(encode({ tensors: { ...tensors }, metadata: { ...metadata } }));
        expect(read).toEqual({ tensors: { ...tensors }, metadata: { ...metadata } });
      },
    ),
  );
});

test('views into larger buffers are written as what they show', () => {
  const large = Float32Array.of(9, 1, 2, 9);
  const { tensors } = decode(encode({ tensors: { a: { shape: [2], values: large.subarray(1, 3) } }, metadata: {} }));
  expect(tensors.a!.values).toEqual(Float32Array.of(1, 2));
});

describe('damage', () => {
  const content: SafeTensors = {
    tensors: { a: { shape: [2], values: Float32Array.of(1, 2) }, b: { shape: [1], values: Int32Array.of(3) } },
    metadata: { note: 'x' },
  };
  const whole = encode(content);
  const withHeader = (header: unknown, data = 12): Buffer => {
    const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(data)]);
  };
  const entry = { dtype: 'F32', shape: [3], data_offsets: [0, 12] };

  test('a file cut anywhere is refused', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => decode(whole.subarray(0, length)), `${length} bytes`).toThrow(
        /file\.safetensors: expected a complete/,
      );
    }
  });

  test('messages', () => {
    const messages = [
      whole.subarray(0, 5),
      whole.subarray(0, 40),
      whole.subarray(0, whole.length - 1),
      Buffer.concat([whole, Buffer.from('abc')]),
      withHeader('{"a": '),
      withHeader('[1, 2]'),
      withHeader({ __metadata__: { epoch: 3 }, a: entry }),
      withHeader({ a: { ...entry, dtype: 'BF16' } }),
      withHeader({ a: { ...entry, shape: [-3] } }),
      withHeader({ a: { ...entry, shape: [4] } }),
      withHeader({ a: { ...entry, data_offsets: [12, 0] } }),
      withHeader({ a: { ...entry, data_offsets: [4, 16] } }),
    ].map((bytes) => {
      try {
        decode(bytes);
        return 'read';
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "file.safetensors: expected a complete safetensors file; it has 5 bytes. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; its header should have 136 bytes and the file has 40. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; it ends at byte 155, in or before "b". Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; 3 bytes follow its data. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; its header is not that of one. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; its header is not that of one. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; its header is not that of one. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; its header does not describe "a" as F32 or I32. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; its header does not describe "a" as F32 or I32. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; "a" has 12 bytes for 4 numbers. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; "a" has -12 bytes for 3 numbers. Use an earlier checkpoint.",
        "file.safetensors: expected a complete safetensors file; it ends at byte 75, in or before "a". Use an earlier checkpoint.",
      ]
    `);
  });
});
