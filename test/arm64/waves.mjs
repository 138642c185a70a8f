import { defineDataset, splitInMemory } from 'tailmix';

const info = {
  name: 'waves',
  classes: ['0', '1', '2', '3'],
  shape: [16, 16, 3],
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  fullCounts: [12, 6, 4, 2],
  testCount: 8,
};

const size = 16 * 16 * 3;

function split(name, counts) {
  const labels = Int32Array.from(counts.flatMap((count, label) => new Array(count).fill(label)));
  const pixel = (image, i) => 127 + 100 * Math.sin(i * (labels[image] + 1) * 0.37 + image);
  const bytes = Uint8Array.from({ length: labels.length * size }, (_, i) => pixel(Math.floor(i / size), i % size));
  return splitInMemory(name, labels, bytes);
}

/** Small coloured images without a file: 24 of four classes, 8 for test. */
export default defineDataset({
  name: 'waves',
  profile: 'none',
  augment: [],
  describe: () => info,
  read: async () => ({ info, train: split('train', info.fullCounts), test: split('test', [2, 2, 2, 2]) }),
});
