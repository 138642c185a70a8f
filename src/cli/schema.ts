import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type DescribedPlugin, runJsonSchema, sweepJsonSchema } from '../config/json-schema.ts';
import { packageRoot } from '../package-root.ts';
import { schemaNotWritten } from './errors.ts';
import { describedPlugins, methodCard } from './method-cards.ts';
import { withOptionsTable } from './options-table.ts';
import { print, tell } from './output.ts';

/** The generated files, by path in the package: both schemas, and the method cards with their option tables. */
export async function schemaFiles(): Promise<Record<string, string>> {
  const text = (schema: unknown): string => `${JSON.stringify(schema, null, 2)}\n`;
  const plugins = await describedPlugins();
  const cards = plugins
    .filter(({ definition: { name } }) => existsSync(methodCard(name)))
    .map(({ definition: { name, options } }): [string, string] => [
      relative(packageRoot, methodCard(name)),
      withOptionsTable(readFileSync(methodCard(name), 'utf8'), options),
    ]);
  return {
    'configs/schema.json': text(runJsonSchema(plugins)),
    'configs/sweep-schema.json': text(sweepJsonSchema()),
    ...Object.fromEntries(cards),
    'README.md': withPluginTable(readFileSync(join(packageRoot, 'README.md'), 'utf8'), plugins),
  };
}

/** The README with its table of plugins, between two marks, as the method cards have it. */
function withPluginTable(readme: string, plugins: readonly DescribedPlugin[]): string {
  const rows = plugins.map(
    ({ definition: { name, provides = [] }, description }) =>
      `| [\`${name}\`](plugins/${name}/README.md) | ${provides.join(', ') || '–'} | ${description} |`,
  );
  const table = ['| plugin | provides | what it does |', '|---|---|---|', ...rows].join('\n');
  return readme.replace(
    /(<!-- plugins -->\n)[\s\S]*?(\n<!-- \/plugins -->)/,
    (_, start, end) => `${start}${table}${end}`,
  );
}

/** `tailmix schema`: prints the JSON Schema of a run (or of a sweep), or writes all that is generated from the options. */
export async function schema({ write, sweep }: { write?: boolean; sweep?: boolean }): Promise<number> {
  const files = await schemaFiles();
  if (!write) {
    print(files[sweep ? 'configs/sweep-schema.json' : 'configs/schema.json']!.trimEnd());
    return 0;
  }
  for (const [path, text] of Object.entries(files)) {
    try {
      await writeFile(join(packageRoot, path), text);
    } catch (error) {
      throw schemaNotWritten(path, error);
    }
    tell(`wrote ${path}`);
  }
  return 0;
}
