import type { DatasetName } from '../options.ts';
import type { Archive, DataSource } from './source.ts';

const TORONTO = 'https://www.cs.toronto.edu/~kriz/';
const EDINBURGH = 'https://datashare.ed.ac.uk/';
const INAT = 'https://ml-inat-competition-datasets.s3.amazonaws.com/2018/';
const RECORDS = 10_000;

/** CIFAR-10, binary version. */
const cifar10: DataSource = {
  terms: 'CIFAR-10, Krizhevsky 2009; no licence is stated.',
  elsewhere: ['data_batch_1.bin', 'cifar-10-batches-bin', 'train/airplane'].flatMap((path) => [
    path,
    `cifar10/${path}`,
  ]),
  archives: [
    {
      file: 'cifar-10-binary.tar.gz',
      urls: [`${TORONTO}cifar-10-binary.tar.gz`],
      size: 170_052_171,
      hash: { algorithm: 'sha256', digest: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd' },
      limits: { bytes: 200e6, entries: 100 },
      from: ['cifar-10-batches-bin'],
      to: 'cifar10/cifar-10-batches-bin',
      holds: Object.fromEntries(
        ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch'].map((name) => [
          `${name}.bin`,
          3073 * RECORDS,
        ]),
      ),
    },
  ],
};

/** CIFAR-100, binary version. */
const cifar100: DataSource = {
  terms: 'CIFAR-100, Krizhevsky 2009; no licence is stated.',
  elsewhere: ['train.bin', 'cifar-100-binary', 'cifar100/train.bin'],
  archives: [
    {
      file: 'cifar-100-binary.tar.gz',
      urls: [`${TORONTO}cifar-100-binary.tar.gz`],
      size: 168_513_733,
      hash: { algorithm: 'sha256', digest: '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec' },
      limits: { bytes: 200e6, entries: 100 },
      from: ['cifar-100-binary'],
      to: 'cifar100/cifar-100-binary',
      holds: { 'train.bin': 3074 * 5 * RECORDS, 'test.bin': 3074 * RECORDS },
    },
  ],
};

const cinicClasses = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

/** CINIC-10, from the University of Edinburgh's data share. */
const cinic10: DataSource = {
  terms: 'CINIC-10, Darlow et al. 2018, CC BY 4.0, doi:10.7488/ds/2448.',
  elsewhere: ['valid/airplane', 'CINIC-10/valid/airplane'],
  archives: [
    {
      file: 'CINIC-10.tar.gz',
      urls: [
        `${EDINBURGH}bitstream/handle/10283/3192/CINIC-10.tar.gz`,
        `${EDINBURGH}server/api/core/bitstreams/e8e186cc-2688-48f1-aa5a-3fda1a43f8b6/content`,
        'https://datashare.is.ed.ac.uk/bitstream/handle/10283/3192/CINIC-10.tar.gz',
      ],
      size: 687_544_992,
      hash: { algorithm: 'md5', digest: '6ee4d0c996905fe93221de577967a372' },
      limits: { bytes: 1.5e9, entries: 280_000 },
      from: ['', 'CINIC-10'],
      to: 'cinic10',
      holds: Object.fromEntries(
        ['train', 'valid', 'test'].flatMap((split) => cinicClasses.map((name) => [`${split}/${name}`, 9000])),
      ),
    },
  ],
};

const inatArchive = (
  file: string,
  md5: string,
  to: string,
  rest: Pick<Archive, 'limits' | 'holds'> & Partial<Archive>,
): Archive => ({
  file,
  urls: [`${INAT}${file}`],
  size: null,
  hash: { algorithm: 'md5', digest: md5 },
  from: [to],
  to: `inat2018/${to}`,
  ...rest,
});

/** Longer JSON would not fit into one string of V8, and the published files are a quarter of it. */
const annotations = { limits: { bytes: 2 ** 29, entries: 4 }, holds: {} };

/** iNaturalist 2018: annotations of training and validation, and their images in one archive of 120 GB. */
const inat2018: DataSource = {
  terms: 'iNaturalist 2018, for non-commercial research and education; images belong to their photographers.',
  elsewhere: ['train2018.json'],
  archives: [
    inatArchive('train2018.json.tar.gz', 'bfa29d89d629cbf04d826a720c0a68b0', 'train2018.json', annotations),
    inatArchive('val2018.json.tar.gz', 'f2ed8bfe3e9901cdefceb4e53cd3775d', 'val2018.json', annotations),
    inatArchive('train_val2018.tar.gz', 'b1c6952ce38f31868cc50ea72d066cc3', 'train_val2018', {
      limits: { bytes: 150e9, entries: 500_000 },
      holds: {},
      about: 120e9,
      optional: true,
    }),
  ],
};

const byName = { cifar10, cifar100, cinic10, inat2018 } satisfies Partial<Record<DatasetName, DataSource>>;

/** Where the data sets that are fetched come from, by their names. */
export const sources: Readonly<Record<string, DataSource | undefined>> = byName;
