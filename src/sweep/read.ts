import { basename, extname, resolve } from 'node:path';
import type { z } from 'zod';
import { displayPath } from '../config/display.ts';
import { configInvalid } from '../config/errors.ts';
import { describeIssues, type Finding } from '../config/issues.ts';
import { type Layer, readLayer } from '../config/read-layer.ts';
import { sweepOptions } from '../config/sweep-schema.ts';
import { formatPath, isMap, type Path, parsePath, type Tree } from '../config/tree.ts';
import type { PluginRegistry } from '../config/types.ts';

/** A sweep as its file says it. */
export interface Sweep {
  /** Absolute. */
  file: string;
  name: string;
  options: z.output<typeof sweepOptions>;
  /** `sweeps/digits.yaml:7`, for messages. */
  where(path: Path): string;
}

/**
 * Reads and checks a sweep file.
 *
 * @throws {TailmixError} CONFIG_INVALID with everything that is wrong.
 */
export async function readSweep(path: string, registry: PluginRegistry): Promise<Sweep> {
  const file = resolve(path);
  const { tree, lineOf } = await readLayer(file, registry);
  const where = whereIn(file, lineOf);
  const parsed = sweepOptions.safeParse(tree);
  const checked = { schema: sweepOptions, value: tree, written: tree, owner: 'a sweep' };
  const findings = [...(parsed.error ? describeIssues(parsed.error.issues, checked) : []), ...badPaths(tree)];
  if (!parsed.success || findings.length > 0) {
    throw configInvalid(findings.map(({ path: at, message }) => ({ where: where(at), path: formatPath(at), message })));
  }
  return { file, name: parsed.data.name ?? basename(file, extname(file)), options: parsed.data, where };
}

/** Keys of `set` and `grid` that are no paths. */
const badPaths = (tree: Tree): Finding[] =>
  ['set', 'grid'].flatMap((section) =>
    Object.keys(isMap(tree[section]) ? tree[section] : {})
      .filter((key) => parsePath(key) === null)
      .map((key) => ({
        path: [section, key],
        message: `expected a path such as train.epochs or plugins.remix.kappa, got ${JSON.stringify(key)}.`,
      })),
  );

/** The line of a value, or of what it should be in. */
function whereIn(file: string, lineOf: Layer['lineOf']): Sweep['where'] {
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lineOf(path.slice(0, length));
      if (line !== null) return `${displayPath(file)}:${line}`;
    }
    return displayPath(file);
  };
}
