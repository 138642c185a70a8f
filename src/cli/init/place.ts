import { join, relative } from 'node:path';
import { packageRoot } from '../../package-root.ts';

/** The config that commands take where they are given none. */
export const CONFIG = 'tailmix.config.yaml';

/** The JSON Schema of configs as a config in a folder names it, for editors. */
export function schemaFrom(directory: string): string {
  const schema = relative(directory, join(packageRoot, 'configs', 'schema.json')).replaceAll('\\', '/');
  return schema.startsWith('.') ? schema : `./${schema}`;
}
