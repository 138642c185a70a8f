import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { dataRoot, defineDataset, splitInMemory, z } from 'tailmix';

const name = 'fashion-mnist';

const options = z.strictObject({
  folder: z.string().default('fashion-mnist').describe('Folder of the four files under the data root.'),
});

const classes = 't-shirt trouser pullover dress coat sandal shirt sneaker bag ankle-boot'.split(' ');

/** An IDX file (LeCun et al. 1998): 0, 0, type, number of sizes n; n big-endian sizes; the values, here bytes. */
async function readIdx(path: string, expected: readonly (number | null)[]): Promise<Uint8Array> {
  const file = await readFile(path);
  const bytes = file.readUInt16BE(0) === 0x1f8b ? gunzipSync(file) : file;
  const sizes = Array.from({ length: bytes[3]! }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const values = bytes.subarray(4 + 4 * sizes.length);
  const fits = sizes.length === expected.length && expected.every((size, i) => size === null || size === sizes[i]);
  if (!fits || values.length !== sizes.reduce((a, b) => a * b, 1)) {
    throw new Error(`${path}: expected bytes of shape ${expected.map((size) => size ?? 'N')}; got ${sizes}.`);
  }
  return values;
}

/**
 * A data set of your own: Fashion-MNIST (Xiao et al. 2017) from its four published files. Ten classes of 28 × 28 grey
 * images; the long tail, validation and transforms are the trainer's.
 */
export default defineDataset({
  name,
  options,
  profile: 'exp',
  augment: [{ name: 'flip', probability: 0.5 }],
  describe: () => info,
  async read({ root, options: { folder } }) {
    const read = async (split: 'train' | 'test', prefix: string) => {
      const path = (kind: string) => join(dataRoot(root), folder, `${prefix}-${kind}-ubyte.gz`);
      const labels = await readIdx(path('labels-idx1'), [null]);
      return splitInMemory(split, labels, await readIdx(path('images-idx3'), [labels.length, 28, 28]));
    };
    return { info, train: await read('train', 'train'), test: await read('test', 't10k') };
  },
});

const info = {
  name,
  classes,
  shape: [28, 28, 1] as const,
  mean: [0.286],
  std: [0.353],
  fullCounts: classes.map(() => 6000),
  testCount: 10_000,
};
