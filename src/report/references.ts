import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';
import type { Comparison } from './compare.ts';

/**
 * `references.bib`: papers of the plugins that ran, each paper once, in the order of the methods. A plugin of tailmix declares
 * its papers in `paper.bib` beside its method card. Plugins of other places are named in a comment.
 *
 * @param methods - with the configurations of their runs
 */
export async function references(methods: Comparison['methods']): Promise<string> {
  const users = new Map<string, string[]>();
  const unknown: string[] = [];
  for (const plugin of new Set(methods.flatMap(({ runs }) => runs.flatMap(({ config }) => pluginsOf(config))))) {
    if (!/^[a-z0-9-]+$/.test(plugin) || !existsSync(folderOf(plugin))) unknown.push(plugin);
    else for (const entry of await papersOf(folderOf(plugin))) users.set(entry, [...(users.get(entry) ?? []), plugin]);
  }
  const parts = [
    `% Papers of the plugins that ran: ${users.size}. Some concern one option of a plugin alone: cite what you used.\n`,
    // BibTeX reads an @ in a comment as the beginning of an entry.
    ...unknown.map((use) => `% Not known here: the paper of ${use.replaceAll(/[@\s]+/g, ' ')}\n`),
    ...[...users].map(([entry, plugins]) => `% ${plugins.join(', ')}\n${entry}\n`),
  ];
  return parts.join('\n');
}

const folderOf = (plugin: string): string => join(packageRoot, 'plugins', plugin);

/** Entries of `paper.bib` in the folder of a plugin; none for one that is of no paper. */
async function papersOf(folder: string): Promise<string[]> {
  const file = join(folder, 'paper.bib');
  const text = existsSync(file) ? await readFile(file, 'utf8') : '';
  return text.split(/^(?=@)/m).flatMap((entry) => entry.trim() || []);
}

/** Plugins of a resolved configuration, those of phases and those that others hold among them, without what is switched off. */
function pluginsOf(config: unknown): string[] {
  if (typeof config !== 'object' || config === null) return [];
  if ('enabled' in config && config.enabled === false) return [];
  const own = 'use' in config && typeof config.use === 'string' ? [config.use] : [];
  return [...own, ...Object.values(config).flatMap(pluginsOf)];
}
