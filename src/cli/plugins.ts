import { existsSync } from 'node:fs';
import type { DescribedPlugin } from '../config/json-schema.ts';
import { displayPath } from '../errors.ts';
import { suggest } from '../util/suggest.ts';
import { context } from './context.ts';
import { pluginUnknown } from './errors.ts';
import { describedPlugins, methodCard } from './method-cards.ts';
import { describeOptions } from './options-table.ts';
import { print, printJson } from './output.ts';

/** `tailmix plugins`: the built-in plugins, or the options of one. */
export async function plugins(name: string | undefined, { json }: { json?: boolean }): Promise<number> {
  const all = await describedPlugins();
  if (name === undefined) {
    if (json) printJson(all.map(describePlugin));
    else print(listPlugins(all));
    return 0;
  }
  const plugin = all.find(({ definition }) => definition.name === name);
  const names = all.map(({ definition }) => definition.name);
  if (!plugin) throw pluginUnknown(name, suggest(name, names), names);
  if (json) printJson(describePlugin(plugin));
  else print(showPlugin(plugin));
  return 0;
}

const isDefault = (name: string): boolean => context.defaults.some((entry) => 'use' in entry && entry.use === name);

const describePlugin = ({
  definition: { name, options, provides = [], requires = [] },
  description,
}: DescribedPlugin) => ({
  name,
  description,
  provides,
  requires,
  default: isDefault(name),
  options: describeOptions(options),
  methodCard: methodCard(name),
});

function listPlugins(all: readonly DescribedPlugin[]): string {
  const width = Math.max(...all.map(({ definition }) => definition.name.length)) + 2;
  const lines = all.map(({ definition: { name }, description }) =>
    `${name.padEnd(width)}${description}${isDefault(name) ? ' On by default.' : ''}`.trimEnd(),
  );
  return `${lines.join('\n')}\n\nOptions of one: tailmix plugins ${all[0]!.definition.name}`;
}

function showPlugin({
  definition: { name, options, provides = [], requires = [] },
  description,
}: DescribedPlugin): string {
  const lines = [name, ...(description ? [`  ${description}`] : []), ''];
  for (const { name: option, type, default: fallback, description: meaning } of describeOptions(options)) {
    lines.push(`  ${option}: ${type}${fallback === null ? '' : `, default ${fallback}`}`, `      ${meaning}`);
  }
  if (lines.at(-1) === '') lines.push('  No options.');
  lines.push('');
  if (provides.length > 0) lines.push(`provides     ${provides.join(', ')}`);
  if (requires.length > 0) lines.push(`requires     ${requires.join(', ')}`);
  if (isDefault(name)) lines.push('             on by default; `enabled: false` turns it off');
  const card = methodCard(name);
  if (existsSync(card)) lines.push(`method card  ${displayPath(card)}`);
  return lines.join('\n');
}
