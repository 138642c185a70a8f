import { basename, extname, resolve } from 'node:path';
import type { z } from 'zod';
import { displayPath } from '../config/display.ts';
import { configInvalid } from '../config/errors.ts';
import { describeIssues } from '../config/issues.ts';
import { type Layer, readLayer } from '../config/read-layer.ts';
import { sweepOptions } from '../config/sweep-schema.ts';
import { formatPath, type Path } from '../config/tree.ts';
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
  if (!parsed.success) {
    const checked = { schema: sweepOptions, value: tree, written: tree, owner: 'a sweep' };
    throw configInvalid(
      describeIssues(parsed.error.issues, checked).map(({ path: at, message }) => ({
        where: where(at),
        path: formatPath(at),
        message,
      })),
    );
  }
  return { file, name: parsed.data.name ?? basename(file, extname(file)), options: parsed.data, where };
}

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
