import { existsSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolder } from '#make-folder';
import { displayPath } from '../../errors.ts';
import { writeFileAtomic } from '../../tracking/write-file.ts';
import { initExists } from '../errors.ts';
import { CONFIG, schemaFrom } from './place.ts';

const config = (schema: string): string => `# yaml-language-server: $schema=${schema}
name: my-run
data:
  name: digits # 10,000 handwritten digits that come with tailmix
  profile: exp # images per class fall exponentially …
  ratio: 100 # … to a hundredth
model:
  name: small-cnn
train:
  epochs: 20
  optimizer: { name: sgd, learningRate: 0.1 }
plugins:
  - use: lr-schedule
    milestones: [0.6, 0.8] # fractions of the run
    gamma: 0.1
  - use: mixup
  - use: remix # rare classes take the label of a mixed pair
    kappa: 3
  - use: ./feature-norm.ts # your own
    weight: 0.001
`;

const plugin = `import { definePlugin, tf, z } from 'tailmix';

const name = 'feature-norm';

/** Adds weight × mean square of the features to the loss. */
export default definePlugin({
  name,
  options: z.strictObject({
    weight: z.number().min(0).default(1e-3).describe('Factor of the penalty.'),
  }),
  apply({ hooks }, { weight }) {
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      penalties: {
        ...loss.penalties,
        [name]: ({ features }) => tf.mul(tf.mean(tf.square(features)), weight),
      },
    }));
  },
});
`;

/**
 * Makes a project: a config and a plugin to start from. Overwrites nothing, and leaves nothing where it fails.
 *
 * @returns what it wrote
 */
export async function makeProject(folder: string): Promise<string[]> {
  const directory = resolve(folder);
  const files = { [CONFIG]: config(schemaFrom(directory)), 'feature-norm.ts': plugin };
  const present = Object.keys(files).filter((name) => existsSync(join(directory, name)));
  if (present.length > 0) throw initExists(present.map((name) => displayPath(join(directory, name))));
  const paths = Object.keys(files).map((name) => join(directory, name));
  const isNew = !existsSync(directory);
  try {
    await makeFolder(directory);
    for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(directory, name), text);
  } catch (error) {
    for (const path of paths) await rm(path, { force: true }).catch(() => {});
    if (isNew) await rmdir(directory).catch(() => {});
    throw error;
  }
  return paths;
}
