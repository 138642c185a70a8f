import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeTree } from '../support/image-tree.ts';
import { skewedPhotos } from '../support/skewed-photos.ts';
import { follow, linkedProject } from '../support/tutorial.ts';

const timeout = 600_000;

/** An empty project, and the folder that it lies in. */
async function empty() {
  const folder = await mkdtemp(join(tmpdir(), 'tailmix-tutorial-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { folder, project: linkedProject(folder) };
}

test('tutorial-photos.md: what it says works, from top to bottom', { timeout }, async () => {
  const { folder, project } = await empty();
  await skewedPhotos(join(folder, 'photos'));
  const output = follow('docs/tutorial-photos.md', project);
  expect(output).toContain('wrote tailmix.config.yaml');
  expect(output).toMatch(/\{ class: '(bee|wasp|old oak|newt)', label: \d, probability: [\d.]+ \}/);
});

test('tutorial-own-method.md: what it says works, from top to bottom', { timeout }, async () => {
  const { project } = await empty();
  const output = follow('docs/tutorial-own-method.md', project);
  expect(output).toMatch(/^Prior margin +2 /m);
});

/** The names of CIFAR-10's classes. */
const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

test('tutorial-paper-table.md: what it says works, from top to bottom', { timeout }, async () => {
  const { folder, project } = await empty();
  const each = (count: number) => Object.fromEntries(CLASSES.map((name) => [name, count]));
  await writeTree(join(folder, 'data/cifar10'), { train: each(100), test: each(4) }, [32, 32]);
  const output = follow('docs/tutorial-paper-table.md', project);
  expect(output).toContain('cifar10: 10 classes, 1,000 training images, 40 test images');
  expect(output.match(/^ERM +1 /gm)).toHaveLength(1);
  expect(output.match(/^Remix +1 /gm)).toHaveLength(2);
  expect(output.match(/^Remix κ=5 +1 /gm)).toHaveLength(1);
});
