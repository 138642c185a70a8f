import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allPaths, helpOf, namesBelow, type OptionHelp, optionsAt, pathOf } from '../config/option-tree.ts';
import type { Described } from '../config/shape.ts';
import { displayPath } from '../errors.ts';
import { packageRoot } from '../package-root.ts';
import { suggest } from '../util/suggest.ts';
import { topicUnknown } from './errors.ts';
import { methodCard } from './method-cards.ts';
import { print, printJson } from './output.ts';

/**
 * `tailmix explain`: an option of a config as its schema describes it, or what an error code means, as `docs/errors.md` says it;
 * without either, all codes.
 */
export async function explain(wanted: string | undefined, { json }: { json?: boolean }): Promise<number> {
  const codes = await explainedCodes();
  if (wanted === undefined) {
    if (json) printJson(Object.fromEntries(codes));
    else print([...codes.keys()].join('\n'));
    return 0;
  }
  const code = wanted.toUpperCase();
  const text = codes.get(code);
  if (text === undefined) return explainOption(wanted, json, [...codes.keys()]);
  if (json) printJson({ code, text });
  else print(`${code}\n\n${text.replaceAll(/^ {2}``(.*) ``$/gm, '  $1')}`);
  return 0;
}

/** What `docs/errors.md` says of each code. */
export async function explainedCodes(): Promise<Map<string, string>> {
  const page = await readFile(join(packageRoot, 'docs/errors.md'), 'utf8');
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [code = '', ...lines] = section.split('\n');
      return [code, lines.join('\n').trim()];
    }),
  );
}

/** The JSON Schema of a run, as it is shipped. */
export const shippedSchema = async (): Promise<Described> =>
  JSON.parse(await readFile(join(packageRoot, 'configs/schema.json'), 'utf8')) as Described;

async function explainOption(wanted: string, json: boolean | undefined, codes: readonly string[]): Promise<number> {
  const schema = await shippedSchema();
  const path = pathOf(wanted);
  const found = path.length > 0 ? optionsAt(schema, path) : [];
  if (found.length === 0) throw topicUnknown(wanted, meant(wanted, codes, allPaths(schema)));
  const help = helpOf(wanted, found);
  const below = [...namesBelow(schema, found)].map(([name, description]) => ({ name, description }));
  const more = pageOf(path.map(String));
  if (json) printJson({ path: wanted, options: help, below, more });
  else print([wanted, '', ...help.flatMap(describe), ...listed(below), `more     ${displayPath(more)}`].join('\n'));
  return 0;
}

function describe({ description, type, default: standard, choice }: OptionHelp): string[] {
  return [
    choice === null ? description : `${choice}: ${description}`,
    `type     ${type}`,
    ...(standard === undefined
      ? []
      : [`default  ${typeof standard === 'string' ? standard : JSON.stringify(standard)}`]),
    '',
  ].filter((line, i) => line !== '' || i > 0);
}

function listed(below: readonly { name: string; description: string }[]): string[] {
  const width = Math.max(0, ...below.map(({ name }) => name.length));
  const lines = below.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`.trimEnd());
  return lines.length > 0 ? [...lines, ''] : [];
}

/** The page that says more of an option. */
function pageOf([section, name]: readonly string[]): string {
  if (section === 'plugins' && name !== undefined) return methodCard(name);
  const pages: Readonly<Record<string, string>> = { data: 'data.md', model: 'models.md' };
  return join(packageRoot, 'docs', pages[section ?? ''] ?? 'config.md');
}

/** What somebody may have meant: a code or a path that is written nearly so, or paths that end in what was written. */
function meant(wanted: string, codes: readonly string[], paths: readonly string[]): string[] {
  const last = wanted.split('.').at(-1)!;
  const endingIn = (name: string): string[] =>
    paths.filter((path) => `.${path}`.toLowerCase().endsWith(`.${name.toLowerCase()}`)).slice(0, MOST);
  const near = wanted.includes('.') ? suggest(wanted, paths) : suggest(wanted, codes);
  if (near !== null) return [near];
  const exact = endingIn(last);
  const name = exact.length > 0 ? last : suggest(last, [...new Set(paths.map((path) => path.split('.').at(-1)!))]);
  return name === null ? [] : endingIn(name);
}

/** Suggestions that are shown. */
const MOST = 5;
