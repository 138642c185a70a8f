import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { packageRoot } from '../package-root.ts';
import { openSources } from '../tracking/sources.ts';
import type { Comparison } from './compare.ts';
import type { LoadedRun } from './runs.ts';

/**
 * `references.bib`: papers of the plugins that ran, each paper once, in the order of the methods. A plugin of tailmix declares
 * its papers in `paper.bib` beside its method card, one of the user's own in such a file beside it, which its runs have kept, one
 * that is a package in `paper.bib` of the package as it is installed. Plugins without one are named in a comment.
 *
 * @param methods - with the configurations of their runs
 */
export async function references(methods: Comparison['methods']): Promise<string> {
  const users = new Map<string, string[]>();
  const unknown: string[] = [];
  const runs = methods.flatMap((method) => method.runs);
  for (const plugin of new Set(runs.flatMap(({ config }) => pluginsOf(config)))) {
    const isBuiltIn = /^[a-z0-9-]+$/.test(plugin) && existsSync(folderOf(plugin));
    const papers = isBuiltIn
      ? await papersOf(folderOf(plugin))
      : ((await keptPapers(plugin, runs)) ?? (await packagePapers(plugin)));
    if (papers === null) unknown.push(plugin);
    for (const entry of papers ?? []) users.set(entry, [...(users.get(entry) ?? []), plugin]);
  }
  const parts = [
    `% Papers of the plugins that ran: ${users.size}. Some concern one option of a plugin alone: cite what you used.\n`,
    ...unknown.map((use) => `% Not known here: the paper of ${inComment(use)}\n`),
    ...[...users].map(([entry, plugins]) => `% ${plugins.map(inComment).join(', ')}\n${entry}\n`),
  ];
  return parts.join('\n');
}

/** BibTeX reads an @ in a comment as the beginning of an entry. */
const inComment = (use: string): string => use.replaceAll(/[@\s]+/g, ' ');

const folderOf = (plugin: string): string => join(packageRoot, 'plugins', plugin);

/** Entries of `paper.bib` in the folder of a plugin; none for one that is of no paper. */
async function papersOf(folder: string): Promise<string[]> {
  const file = join(folder, 'paper.bib');
  return entriesOf(existsSync(file) ? await readFile(file, 'utf8') : '');
}

const entriesOf = (text: string): string[] =>
  text.split(/^(?=@)/m).flatMap((entry) => (entry.startsWith('@') ? entry.trim() : []));

/** Entries that a run has kept with a plugin of the user's own, as text: nothing of it is executed. Null where there are none. */
async function keptPapers(plugin: string, runs: readonly LoadedRun[]): Promise<string[] | null> {
  for (const { path, config } of runs) {
    if (!pluginsOf(config).includes(plugin)) continue;
    const text = await openSources(path)
      .then((sources) => sources.paper(plugin))
      .catch(() => null);
    if (text !== null) return entriesOf(text);
  }
  return null;
}

/** Entries of an installed package, looked for from the working directory up. Null where there are none. */
async function packagePapers(plugin: string): Promise<string[] | null> {
  const name = /^(@[\w.-]+\/)?[\w-][\w.-]*/.exec(plugin)?.[0];
  if (name === undefined) return null;
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const text = await readFile(join(folder, 'node_modules', name, 'paper.bib'), 'utf8').catch(() => null);
    if (text !== null) return entriesOf(text);
    if (folder === dirname(folder)) return null;
  }
}

/** Plugins of a resolved configuration, those of phases and those that others hold among them, without what is switched off. */
function pluginsOf(config: unknown): string[] {
  if (typeof config !== 'object' || config === null) return [];
  if ('enabled' in config && config.enabled === false) return [];
  const own = 'use' in config && typeof config.use === 'string' ? [config.use] : [];
  return [...own, ...Object.values(config).flatMap(pluginsOf)];
}
