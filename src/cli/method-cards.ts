import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescribedPlugin } from '../config/json-schema.ts';
import { packageRoot } from '../package-root.ts';
import { knownPlugins } from './context.ts';

/** Path of a built-in plugin's method card. */
export const methodCard = (name: string): string => join(packageRoot, 'plugins', name, 'README.md');

/** All built-in plugins, each with the first sentence of its method card. */
export const describedPlugins = async (): Promise<DescribedPlugin[]> =>
  (await knownPlugins()).map((definition) => ({ definition, description: firstSentence(methodCard(definition.name)) }));

function firstSentence(path: string): string {
  if (!existsSync(path)) return '';
  const paragraphs = readFileSync(path, 'utf8').split(/\n\s*\n/);
  const first = paragraphs.find((paragraph) => /^[^#\s|`-]/.test(paragraph)) ?? '';
  const text = first.replaceAll(/\s+/g, ' ').trim();
  return /^.*?\.(?=\s|$)/.exec(text)?.[0] ?? text;
}
