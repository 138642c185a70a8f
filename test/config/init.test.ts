import { rename } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { defineModel } from '../../src/models/definition.ts';
import type { Model } from '../../src/models/types.ts';
import { checkpointPath, writeCheckpoint } from '../../src/tracking/checkpoint.ts';
import { readInit } from '../../src/tracking/pinned-init.ts';
import { messageOfError } from '../support/message.ts';
import { snapshotAfter } from '../support/tracked-run.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();

/** A run directory with the checkpoints of two epochs. */
async function givenRun(directory: string): Promise<void> {
  await write({ [`${directory}/config.yaml`]: 'name: first\n' });
  for (const epoch of [1, 2]) await writeCheckpoint(checkpointPath(directory, epoch), snapshotAfter(epoch));
}

async function load(init: string) {
  await write({ 'run.yaml': `data: { name: digits }\nmodel: { name: mlp, init: ${init} }\n` });
  const config = await loadConfig('run.yaml', { registry, defaults });
  return { ...config, init: config.options.model.init as { run: string; sha256: string } };
}

describe('model.init', () => {
  it('names the checkpoint and its checksum, which decides the hash; its place does not', async () => {
    await givenRun('runs/first-20260101-000000');
    const { init, hash, resolved } = await load('runs/first-20260101-000000');
    expect(init.run).toBe('runs/first-20260101-000000/checkpoints/epoch-0002.safetensors');
    expect(init.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect((await load('first')).init).toEqual(init);
    expect((await load(init.run)).hash).toBe(hash);

    await write({ 'again.yaml': stringify(resolved) });
    expect((await loadConfig('again.yaml', { registry, defaults })).hash).toBe(hash);

    await rename('runs/first-20260101-000000', 'moved');
    expect((await load('moved')).hash).toBe(hash);
    // What has its checksum already need not be there: a run that is resumed has its weights.
    expect((await loadConfig('again.yaml', { registry, defaults })).hash).toBe(hash);

    const other = snapshotAfter(2);
    other.state[other.weights[0]!]!.values[0]! += 1;
    await writeCheckpoint(checkpointPath('moved', 2), other);
    expect((await load('moved')).hash).not.toBe(hash);
    expect(await messageOfError(() => readInit({ run: 'moved', sha256: init.sha256 }))).toMatch(
      /^model\.init: moved: expected weights with SHA-256 \w{12}…, got \w{12}…: they were changed\./,
    );
  });

  it('leaves a config and a model made by a call as they were given', async () => {
    await givenRun('runs/first-20260101-000000');
    const tiny = defineModel({
      name: 'tiny',
      options: z.strictObject({ depth: z.int().default(1) }),
      create: () => ({}) as Model,
    });
    const model = tiny({ init: 'first' });
    const input = { data: { name: 'digits' }, model, plugins: [{ use: 'mixup' }] };
    const resolve = () => resolveConfig(input, { registry, defaults });
    const { hash, model: pinned } = await resolve();
    expect(pinned!.options.init).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(input).toEqual({ data: { name: 'digits' }, model: tiny({ init: 'first' }), plugins: [{ use: 'mixup' }] });
    expect((await resolve()).hash).toBe(hash);
  });

  it('may come from the environment, and is logged as written', async () => {
    await givenRun('runs/first-20260101-000000');
    process.env.TAILMIX_TEST_RUN = 'first';
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the config.
    const { resolved, hash } = await load("'${env:TAILMIX_TEST_RUN}'");
    delete process.env.TAILMIX_TEST_RUN;
    const { init } = await load('first');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of the config.
    expect(resolved.model).toMatchObject({ init: { run: '${env:TAILMIX_TEST_RUN}', sha256: init.sha256 } });
    expect((await load('first')).hash).toBe(hash);
  });

  it('tells where there is nothing to start from', async () => {
    expect(await messageOfError(() => load('first'))).toMatchInlineSnapshot(`
      "run.yaml:2  model.init
        run "first": expected a run directory, or the name of a run in runs; found neither. There are no runs there yet. A checkpoint file can be named as well."
    `);
    await write({ 'runs/first/config.yaml': 'name: first\n' });
    expect(await messageOfError(() => load('first'), `${process.cwd()}/`)).toMatchInlineSnapshot(`
      "run.yaml:2  model.init
        …runs/first: expected a checkpoint in checkpoints/, found none. The run ended before its first one, or ran without the checkpoint plugin; tailmix train --resume starts it from its beginning. A checkpoint file can be named as well."
    `);
  });
});
