import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, test } from 'vitest';
import { stringify } from 'yaml';
import { type LoadContext, loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { loadRuns } from '../../src/report/runs.ts';
import { stateOf } from '../../src/sweep/state.ts';
import { checkpointPath, readCheckpoint, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { sealedJson } from '../../src/tracking/seal.ts';
import { snapshotMismatch } from '../../src/train/errors.ts';
import { openRun } from '../../src/trained/open.ts';
import { version } from '../../src/version.ts';
import { tailmix } from '../cli/run.ts';
import { defaults, registry } from '../config/few-plugins.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

const context: LoadContext = { registry, defaults };
const subset = {
  dataset: 'digits',
  hash: 'f00',
  validationCount: 0,
  classCounts: [9, 3],
  classes: ['0', '1'],
  imageShape: [8, 8, 1],
  mean: [0.5],
  std: [0.5],
};

let folder: string;
let run: string;
let resolved: Record<string, unknown>;
let hash: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  run = join(folder, 'run');
  await mkdir(run);
  const options = { name: 'run', data: { name: 'digits' }, model: { name: 'mlp' } };
  ({ resolved, hash } = await resolveConfig(options, context));
});

/** Writes the run as a version of tailmix that has other settings would have: with another hash. */
async function write(
  writer: string,
  settings: Record<string, unknown>,
  { trained = 'a1b2c3d4e5', about = {} }: { trained?: string; about?: object } = {},
): Promise<void> {
  await writeFile(join(run, 'config.yaml'), stringify(settings));
  await writeFile(join(run, 'subset.json'), sealedJson({ tailmix: writer, ...subset, ...about }));
  await writeCheckpoint(checkpointPath(run, 1), { ...snapshotAfter(1), configHash: trained, tailmix: writer });
}

/** Settings that had fewer options, as an earlier version has them. */
function withFewer(): Record<string, unknown> {
  const { batchSize: _, ...train } = resolved.train as Record<string, unknown>;
  const { groups: __, ...evaluate } = resolved.evaluate as Record<string, unknown>;
  return { ...resolved, train, evaluate };
}

const opened = async (): Promise<string> =>
  (await messageOfError(() => openRun(run, context), run))
    .replace(hash.slice(0, 8), 'h')
    .replaceAll(/hash [0-9a-f]{8}/g, 'hash h')
    .replaceAll(`tailmix ${version}`, 'tailmix OWN')
    .replaceAll(/config\.yaml:\d+/g, 'config.yaml:LINE');

describe('a run whose settings resolve otherwise now', () => {
  it('is named with the version that wrote it and this one, and with what is read otherwise', async () => {
    await write('0.0.9', withFewer());
    expect(await opened()).toMatchInlineSnapshot(`
      "…: expected a run that tailmix OWN reads as it was written; tailmix 0.0.9 wrote it, and here
        train.batchSize, evaluate.groups are not in config.yaml as this version resolves them (hash h became h).
        Use it with tailmix 0.0.9 (npx tailmix@0.0.9 …), or train it again: docs/upgrading.md."
    `);
  });

  it('of this version is named with what is read otherwise', async () => {
    await write(version, withFewer());
    expect(await opened()).toMatchInlineSnapshot(`
      "…/config.yaml: expected the settings that the checkpoint was trained with (hash h), got others (hash h).
        train.batchSize, evaluate.groups are not in the file as this tailmix resolves them: another version wrote the run, or the file was changed."
    `);
  });

  it('is said to be changed where its own version wrote it and reads it as it is', async () => {
    await write(version, { ...resolved, seed: 7 }, { trained: hash });
    expect(await opened()).toMatchInlineSnapshot(`
      "…/config.yaml: expected the settings that the checkpoint was trained with (hash h), got others (hash h).
        The file, or the file of a plugin that it names, was changed or damaged: restore it."
    `);
  });

  it('with an option that is gone is named with both versions, and of this version by the option', async () => {
    const settings = { ...resolved, gone: 1 };
    await write('0.0.9', settings);
    expect(await opened()).toMatchInlineSnapshot(`
      "…: expected a run that tailmix OWN reads as it was written; tailmix 0.0.9 wrote it, and here
        …/config.yaml:LINE  gone
        a run has no option "gone". Options: $schema, extends, name, method, seed, data, model, train, evaluate, backend, plugins, phases, out.
        Use it with tailmix 0.0.9 (npx tailmix@0.0.9 …), or train it again: docs/upgrading.md."
    `);
    await write(version, settings);
    expect(await opened()).toMatchInlineSnapshot(`
      "…/config.yaml:LINE  gone
        a run has no option "gone". Options: $schema, extends, name, method, seed, data, model, train, evaluate, backend, plugins, phases, out."
    `);
  });

  it('is read where both versions come to the same', async () => {
    await write('0.0.9', resolved, { trained: hash });
    await expect(openRun(run, context)).resolves.toMatchObject({ directory: run });
  });
});

test('a mistake among settings that are given in addition is not put down to the version', async () => {
  await write('0.0.9', resolved, { trained: hash });
  const mistaken = { ...context, set: ['train.epoch=3'] };
  expect(await messageOfError(() => openRun(run, mistaken), run)).not.toContain('0.0.9');
});

test('a file of a run that another version wrote otherwise is not called damaged', async () => {
  await write('0.0.9', resolved, { trained: hash, about: { classCounts: 'many' } });
  expect(await opened()).toMatchInlineSnapshot(`
    "…: expected a run that tailmix OWN reads as it was written; tailmix 0.0.9 wrote it, and here
      classCounts in subset.json is of another form.
      Use it with tailmix 0.0.9 (npx tailmix@0.0.9 …), or train it again: docs/upgrading.md."
  `);
});

test('train --resume names both versions', async () => {
  await write('0.0.9', withFewer());
  const { code, stderr } = await tailmix(folder, 'train', '--resume', 'run');
  expect(code).toBe(2);
  expect(stderr).toContain(
    `run: expected a run that tailmix ${version} reads as it was written; tailmix 0.0.9 wrote it`,
  );
  expect(stderr).toContain('train.batchSize, evaluate.groups, plugins are not in config.yaml as');
});

test('a sweep that finds such a run says so', async () => {
  await write('0.0.9', withFewer());
  const planned = { directory: run, hash: 'of the sweep' } as Parameters<typeof stateOf>[0];
  expect(await stateOf(planned, context)).toEqual({
    kind: 'foreign',
    reason: 'its config.yaml is of other settings, and tailmix 0.0.9 wrote it',
  });
});

test('report names the version of a summary that it cannot read, and calls only a changed one damaged', async () => {
  await write('0.0.9', resolved);
  const summary = { tailmix: '0.0.9', status: 'finished' };
  await writeFile(join(run, 'summary.json'), sealedJson(summary));
  const reason = async () => (await loadRuns([run])).leftOut[0]!.reason;
  expect(await reason()).toMatch(`tailmix 0.0.9 wrote it, and tailmix ${version} cannot read its summary.json: name:`);
  await writeFile(join(run, 'summary.json'), sealedJson(summary).replace('finished', 'stopped'));
  expect(await reason()).toBe('summary.json is damaged: its checksum differs');
});

test('a checkpoint says which version wrote it, and one of another network is named with it', async () => {
  await write('0.0.9', resolved);
  expect((await readCheckpoint(checkpointPath(run, 1))).tailmix).toBe('0.0.9');
  const { message } = snapshotMismatch('head/kernel', [64, 10], undefined, '0.0.9');
  expect(message.replaceAll(`tailmix ${version}`, 'tailmix OWN')).toMatchInlineSnapshot(`
    "resume: head/kernel: expected shape [64, 10], got nothing.
      tailmix 0.0.9 wrote the checkpoint, and this is tailmix OWN: use it with that version (npx tailmix@0.0.9 …), or train again (docs/upgrading.md)."
  `);
});

test('what a run writes resolves to itself, by which other versions are told', async () => {
  await write(version, resolved, { trained: hash });
  const again = await loadConfig(join(run, 'config.yaml'), context);
  expect(again).toMatchObject({ hash, resolved });
});
