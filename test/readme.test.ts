import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { defaults, registry } from '../plugins/index.ts';
import { resolveConfig } from '../src/config/resolve.ts';
import { trainerOptions } from '../src/config/trainer-options.ts';
import { planRun } from '../src/train/plan-run.ts';
import { createTrainer } from '../src/train/trainer.ts';
import { squares, tinyModel } from './support/squares.ts';

const readme = readFileSync('README.md', 'utf8');

/** Fenced blocks of a language, in order. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, tag, text]) => (tag === language ? [text!] : []));

describe('README', () => {
  test('its YAML is a valid run, and the plan below it is the plan of that run', async () => {
    const [yaml] = blocks('yaml');
    const config = await resolveConfig(parse(yaml!), { registry, defaults });
    const { plan } = await planRun(trainerOptions(config));
    const shown = blocks('').find((block) => block.startsWith('onTrainBegin'))!;
    expect(plan).toContain(shown.trimEnd());
  });

  test('its plugin is one, and trains', async () => {
    const [source] = blocks('ts');
    const folder = join('node_modules', '.cache', 'readme');
    await mkdir(folder, { recursive: true });
    const file = join(folder, 'feature-norm.ts');
    await writeFile(file, source!);
    const { default: factory } = await import(/* @vite-ignore */ pathToFileURL(file).href);
    const { epochs } = await createTrainer({
      data: squares(),
      model: tinyModel(),
      plugins: [factory({ strength: 0.01 })],
      train: { epochs: 1, batchSize: 16 },
    }).run();
    expect(epochs[0]!.train.penalties['feature-norm']).toBeGreaterThan(0);
  });

  test('its commands name configs and commands that exist', async () => {
    const { createProgram } = await import('../src/cli/program/program.ts');
    const known = createProgram(() => {}).commands.map((command) => command.name());
    const commands = [...readme.matchAll(/npx tailmix (\S+)([^\n`]*)/g)];
    expect(commands.length).toBeGreaterThan(3);
    for (const [, name, rest] of commands) {
      expect(known).toContain(name);
      for (const [path] of rest!.matchAll(/configs\/\S+\.yaml/g)) expect(existsSync(path), path).toBe(true);
    }
  });
});
