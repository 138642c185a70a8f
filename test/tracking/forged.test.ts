import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { decodeSafetensors, encodeSafetensors, type SafeTensors } from '../../src/tracking/safetensors.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

type Forge = (content: SafeTensors) => void;

/** A checkpoint whose checksum is right, whatever else it says. */
async function forged(forge: Forge): Promise<{ path: string; folder: string }> {
  const folder = await temporaryFolder();
  const path = join(folder, 'x.safetensors');
  await writeCheckpoint(path, snapshotAfter(1));
  const content = decodeSafetensors(await readFile(path), path);
  delete content.metadata.sha256;
  forge(content);
  const hash = createHash('sha256').update(JSON.stringify(content.metadata));
  for (const [name, { shape, values }] of Object.entries(content.tensors)) {
    hash.update(JSON.stringify([name, shape]));
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  const metadata = { ...content.metadata, sha256: hash.digest('hex') };
  await writeFile(path, Buffer.concat(encodeSafetensors({ ...content, metadata })));
  return { path, folder };
}

const set =
  (key: string, value: unknown): Forge =>
  ({ metadata }) => {
    metadata[key] = typeof value === 'string' ? value : JSON.stringify(value);
  };
const changed =
  (key: string, change: (value: never) => unknown): Forge =>
  ({ metadata }) => {
    metadata[key] = JSON.stringify(change(JSON.parse(metadata[key]!) as never));
  };

it('a checkpoint with a right checksum that says what none says is refused with the part named', async () => {
  const forgeries: Record<string, Forge> = {
    'epoch 9999 after one epoch': set('epoch', '9999'),
    'an infinite epoch': set('epoch', '1e999'),
    'half a step': set('step', '1.5'),
    'a step that no epoch had': set('step', '4'),
    'no time': set('seconds', 'NaN'),
    'no hash': ({ metadata }) => delete metadata.configHash,
    'weights that are no JSON': set('weights', '['),
    'weights that are no list': set('weights', {}),
    'weights that are no names': set('weights', [{}]),
    'a weight without values': set('weights', ['stage1/bias']),
    'a weight that every object has': set('weights', ['constructor']),
    'no plugins': set('plugins', 'null'),
    'a history that is no list': set('history', { length: 1e9 }),
    'a history of text': set('history', ['x']),
    'an epoch without metrics': changed('history', ([epoch]: object[]) => [{ ...epoch, train: null }]),
    'an evaluation without classes': changed('history', ([epoch]: object[]) => [{ ...epoch, test: { accuracy: 1 } }]),
    'data without classes': changed('data', (data: object) => ({ ...data, classes: 7 })),
    'rollbacks without an epoch': set('rollbacks', [{}]),
  };
  const messages: Record<string, string> = {};
  for (const [name, forge] of Object.entries(forgeries)) {
    const { path, folder } = await forged(forge);
    messages[name] = (await messageOfError(() => readCheckpoint(path), folder)).replace(
      /^…\/x\.safetensors: expected a tailmix checkpoint; (.*)\. Point at a file that .*$/,
      '$1',
    );
  }
  expect(messages).toMatchInlineSnapshot(`
    {
      "a history of text": "its metadata is not that of one (history.0)",
      "a history that is no list": "its metadata is not that of one (history)",
      "a step that no epoch had": "its metadata is not that of one (step)",
      "a weight that every object has": "it has no values of its weight "constructor"",
      "a weight without values": "it has no values of its weight "stage1/bias"",
      "an epoch without metrics": "its metadata is not that of one (history.0.train)",
      "an evaluation without classes": "its metadata is not that of one (history.0.test.balancedAccuracy)",
      "an infinite epoch": "its metadata is not that of one (epoch)",
      "data without classes": "its metadata is not that of one (data.classes)",
      "epoch 9999 after one epoch": "its metadata is not that of one (epoch)",
      "half a step": "its metadata is not that of one (step)",
      "no hash": "its metadata is not that of one (configHash)",
      "no plugins": "its metadata is not that of one (plugins)",
      "no time": "its metadata is not that of one (seconds)",
      "rollbacks without an epoch": "its metadata is not that of one (rollbacks.0.epoch)",
      "weights that are no JSON": "its metadata is not that of one (weights)",
      "weights that are no list": "its metadata is not that of one (weights)",
      "weights that are no names": "its metadata is not that of one (weights.0)",
    }
  `);
});

it('names that every object has are names of weights as others are, and change no prototype', async () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const { path } = await forged(({ tensors, metadata }) => {
    for (const name of names)
      Object.defineProperty(tensors, name, {
        value: { shape: [1], values: Float32Array.of(1) },
        enumerable: true,
      });
    metadata.weights = JSON.stringify(names);
    metadata.plugins = '{"__proto__":{"polluted":true}}';
  });
  const { state, weights } = await readCheckpoint(path);
  expect(weights).toEqual(names);
  for (const name of names)
    expect(Object.getOwnPropertyDescriptor(state, name)?.value.values).toEqual(Float32Array.of(1));
  expect(Object.getPrototypeOf(state)).toBe(Object.prototype);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

it('a small file that describes more numbers than it has is refused before they are made', () => {
  const file = (header: object, data: number): Buffer => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(data)]);
  };
  const whole = { dtype: 'F32', shape: [250_000], data_offsets: [0, 1_000_000] };
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`w${i}`, whole]));
  const huge = (shape: number[], end: number) => ({ a: { dtype: 'F32', shape, data_offsets: [0, end] } });
  const before = process.memoryUsage().arrayBuffers;
  const messages = [
    file(many, 1_000_000),
    file(huge([2 ** 50, 2 ** 50], 4), 4),
    file(huge([Number.MAX_SAFE_INTEGER], Number.MAX_SAFE_INTEGER), 4),
    file(huge([1e300], 4), 4),
    file(
      huge(
        Array.from({ length: 1000 }, () => 10),
        4,
      ),
      4,
    ),
    Buffer.concat([Buffer.from('ffffffffffffff7f', 'hex'), Buffer.alloc(100)]),
  ].map((bytes) => {
    try {
      return decodeSafetensors(bytes, 'file').metadata;
    } catch (error) {
      return (error as Error).message;
    }
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100e6);
  expect(messages).toMatchInlineSnapshot(`
    [
      "file: expected a complete safetensors file; "w1" begins at byte 0 of the data, and not at byte 1000000. Use an earlier checkpoint.",
      "file: expected a complete safetensors file; "a" has 4 bytes for 1.2676506002282294e+30 numbers. Use an earlier checkpoint.",
      "file: expected a complete safetensors file; "a" has 9007199254740991 bytes for 9007199254740991 numbers. Use an earlier checkpoint.",
      "file: expected a complete safetensors file; its header does not describe "a" as F32 or I32. Use an earlier checkpoint.",
      "file: expected a complete safetensors file; "a" has 4 bytes for Infinity numbers. Use an earlier checkpoint.",
      "file: expected a complete safetensors file; its header should have 9223372036854775807 bytes and the file has 108. Use an earlier checkpoint.",
    ]
  `);
});

it('what is no file, and what is too large, is not read', async () => {
  const folder = await temporaryFolder();
  const pipe = join(folder, 'pipe');
  const large = join(folder, 'large');
  execFileSync('mkfifo', [pipe]);
  await writeFile(large, '');
  await truncate(large, 2 ** 40);
  for (const path of ['/dev/zero', pipe])
    expect(await messageOfError(() => readCheckpoint(path), path)).toBe(
      '…: expected a checkpoint; it cannot be read (it is no file). Check the path and its permissions.',
    );
  expect(await messageOfError(() => readCheckpoint(large), large)).toMatchInlineSnapshot(
    `"…: expected a checkpoint; it cannot be read (File size (1099511627776) is greater than 2 GiB). Check the path and its permissions."`,
  );
});
