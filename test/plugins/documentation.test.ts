import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { registry } from '../../plugins/index.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { Plugin } from '../../src/plugin.ts';
import { codeBlocks, openEditor } from '../support/language-service.ts';
import { settings } from './settings.ts';

const names = Object.keys(registry);
const variableOf = (name: string): string => name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

const imports = names.map((name) => `import ${variableOf(name)} from 'tailmix/plugins/${name}';\n`).join('');
const editor = openEditor(imports);
const hovers = Object.fromEntries(
  names.map((name) => [name, editor.hover(imports.indexOf(`import ${variableOf(name)} `) + 'import '.length)]),
);
const examplesOf = (name: string, language: string): string[] =>
  (hovers[name]!.tags.example ?? []).flatMap((text) => codeBlocks(`${text}\n`, language));

/** Not from a paper. */
const OWN = [
  'checkpoint',
  'choose',
  'cross-entropy',
  'early-stopping',
  'grad-accumulation',
  'lr-schedule',
  'mlflow',
].concat(['progress', 'tracking']);

/** What the cards and comments of all plugins say, in one line. */
const cards = names
  .flatMap((name) => [readFileSync(`plugins/${name}/README.md`, 'utf8'), ...(hovers[name]!.tags.see ?? [])])
  .join(' ')
  .replaceAll(/\s+/g, ' ');

/** Entries of `paper.bib` by their key. */
const entries = new Map<string, string>();

interface Options {
  data: object;
  model: object;
  plugins?: Plugin[];
  phases?: { plugins?: Plugin[] }[];
}

/** What the code of an example gives to `createTrainer`. */
async function optionsOf(code: string): Promise<Options> {
  const factories = await Promise.all(names.map(async (name) => (await registry[name]!()).default));
  let given: Options | undefined;
  new Function('createTrainer', ...names.map(variableOf), code)(
    (options: Options) => {
      given = options;
    },
    ...factories,
  );
  return given!;
}

test('examples of all plugins compile', () => {
  const code = names.flatMap((name) => examplesOf(name, 'ts').map((example) => `{\n${example}}\n`));
  const unused = `export const all = [${names.map(variableOf)}];\n`;
  expect(openEditor(`import { createTrainer } from 'tailmix';\n${imports}${unused}${code.join('')}`).errors()).toEqual(
    [],
  );
});

describe.each(names)('%s', (name) => {
  test('an editor shows what it does, its paper and an example in code and in YAML', () => {
    const { text, tags } = hovers[name]!;
    expect(text).toMatch(/^\S[\s\S]{30,}\.$/);
    if (!OWN.includes(name)) expect(tags.see?.join('\n')).toMatch(/https:\/\//);
    expect(examplesOf(name, 'ts')).toHaveLength(1);
    const [card] = codeBlocks(readFileSync(`plugins/${name}/README.md`, 'utf8'), 'yaml');
    expect(examplesOf(name, 'yaml')).toEqual([card]);
  });

  test('its papers are in BibTeX, as its comment and the cards name them', () => {
    const file = `plugins/${name}/paper.bib`;
    expect(existsSync(file)).toBe(!OWN.includes(name));
    if (OWN.includes(name)) return;
    const text = readFileSync(file, 'utf8');
    const see = hovers[name]!.tags.see!.join('\n');
    for (const [, id] of see.matchAll(/arxiv\.org\/abs\/([\d.]+\d)/g)) expect(text).toContain(`eprint = {${id}}`);
    for (const entry of text.split(/\n(?=@)/)) {
      const [, key, body] = /^@(?:inproceedings|article|misc)\{(\w+),\n((?: {2}\w+ = \{.*\},?\n)+)\}\n$/.exec(entry)!;
      const of: Record<string, string | undefined> = Object.fromEntries(
        [...body!.matchAll(/^ {2}(\w+) = \{+(.*?)\}+,?$/gm)].map(([, k, v]) => [k, v]),
      );
      expect(entries.get(key!) ?? entry).toBe(entry);
      entries.set(key!, entry);
      const authors = of.author!.split(' and ').map((author) => author.replace(/^(.*), (.*)$/, '$2 $1'));
      const parts = [of.title!.replaceAll('\\&', '&'), ...authors.filter((author) => author !== 'others')];
      const where = [of.booktitle, of.journal, of.eprint, of.url].filter((place) => place !== undefined);
      expect(where).not.toEqual([]);
      for (const part of [...parts, ...where]) expect(cards).toContain(part);
      expect(key).toContain(of.year);
    }
  });

  test('both examples are the same run', async () => {
    const { plugins, phases, ...run } = await optionsOf(examplesOf(name, 'ts')[0]!);
    const yaml = parse(examplesOf(name, 'yaml')[0]!);
    const { data, model } = run;
    // What an example reads is not there.
    const { reads } = settings[name]!;
    for (const entry of yaml.plugins ?? []) if (entry.use === name) Object.assign(entry, reads);
    for (const { definition, options } of plugins ?? []) if (definition.name === name) Object.assign(options, reads);
    const resolved = await resolveConfig({ data, model, ...yaml }, { registry, defaults: [] });
    const { plugins: _, phases: __, ...others } = yaml;
    expect(run).toEqual({ data, model, ...others });
    expect(plugins ?? []).toEqual(yaml.plugins ? resolved.plugins.map(({ prepared: ___, ...plugin }) => plugin) : []);
    expect(phases?.map((phase) => phase.plugins ?? [])).toEqual(
      resolved.phases && yaml.phases ? resolved.phases.map((phase) => phase.plugins ?? []) : undefined,
    );
  });
});
