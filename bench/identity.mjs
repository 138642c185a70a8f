// What it costs to know a run's data by content: milliseconds to hash the labels and images that it takes, from the hashes of
// files in a packed file, and from pixels in memory. CIFAR-10, ratio 100 and whole; its images must be in the data root.
//
//   npm run build && node bench/identity.mjs --data-root DIR [--rounds 5]
import { parseArgs } from 'node:util';
import { identityOf } from '../dist/src/data/identity.js';
import { loadData } from '../dist/src/data/load-data.js';
import { dataOptions } from '../dist/src/data/options.js';
import { machine, median } from './support/report.mjs';

const { values } = parseArgs({
  options: { 'data-root': { type: 'string' }, rounds: { type: 'string', default: '5' } },
});
console.log(machine());
for (const profile of ['exp', 'none']) {
  const data = await loadData(dataOptions.parse({ name: 'cifar10', root: values['data-root'], profile }));
  const withoutHashes = ({ split: { hashes: _, ...split }, ...subset }) => ({ ...subset, split });
  const pixels = { ...data, train: withoutHashes(data.train), test: withoutHashes(data.test) };
  for (const [from, of] of Object.entries(data.train.split.hashes ? { files: data, pixels } : { pixels })) {
    const times = Array.from({ length: Number(values.rounds) }, () => {
      const start = performance.now();
      identityOf(of);
      return performance.now() - start;
    });
    const images = data.train.indices.length + data.test.indices.length;
    console.log(
      `${images} images, ${from}: ${median(times).toFixed(0)} ms (${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)})`,
    );
  }
}
