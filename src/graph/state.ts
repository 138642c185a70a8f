import { concatenate } from '../util/concatenate.ts';
import { sizeOf } from '../util/shape.ts';
import type { StateGroup } from './build-graph.ts';
import { badState } from './errors.ts';
import type { Variable } from './pack.ts';
import type { Feed, Fetched } from './session.ts';

/** How state moves: the variables that hold it, the groups that they are fed and fetched in, and a session's run. */
export interface StateAccess {
  variables: Readonly<Record<string, Variable>>;
  groups: readonly StateGroup[];
  /** Runs the session; copies only the fetches that are wanted. */
  run(
    what: 'read' | 'write',
    feeds: readonly Feed[],
    fetches: readonly string[],
    wanted: readonly boolean[],
  ): Fetched[];
}

/** Copies state out by name. */
export function readState(
  { variables, groups, run }: StateAccess,
  names: readonly string[],
): Record<string, Float32Array> {
  const wanted = new Set(names);
  const found = new Map<string, Float32Array>();
  const holds = (variable: string): boolean => variables[variable]!.members.some(({ name }) => wanted.has(name));
  for (const { names: group, reads } of groups) {
    const held = group.map(holds);
    if (!held.includes(true)) continue;
    const fetched = run('read', [], reads, held);
    for (const [index, variable] of group.filter((_, position) => held[position]).entries()) {
      const values = fetched[index]!.values as Float32Array;
      const { members } = variables[variable]!;
      let at = 0;
      for (const { name, size } of members) {
        if (wanted.has(name)) found.set(name, members.length === 1 ? values : values.slice(at, at + size));
        at += size;
      }
    }
  }
  return Object.fromEntries(names.map((name) => [name, found.get(name)!]));
}

/**
 * Replaces state by name; what shares a group with it and is not given is read first.
 *
 * @param valuesOf - called for each name, when its turn has come.
 */
export function writeState(
  access: StateAccess,
  names: readonly string[],
  valuesOf: (name: string) => Float32Array,
): void {
  const { variables, groups, run } = access;
  const given = new Set(names);
  for (const { names: group, feeds, written } of groups) {
    const members = group.flatMap((variable) => variables[variable]!.members).map(({ name }) => name);
    const missing = members.filter((name) => !given.has(name));
    if (missing.length === members.length) continue;
    const before = missing.length > 0 ? readState(access, missing) : {};
    const fed = group.map((variable, index): Feed => {
      const { shape, members: parts } = variables[variable]!;
      return { name: feeds[index]!, shape, values: joined(parts.map(({ name }) => before[name] ?? valuesOf(name))) };
    });
    run('write', fed, [written], []);
  }
}

const joined = (arrays: readonly Float32Array[]): Float32Array =>
  arrays.length === 1 ? arrays[0]! : concatenate(Float32Array, arrays);

/** @throws {TailmixError} STEP_STATE for a name that is not declared, or values of another length. */
export function checkState(
  state: Readonly<Record<string, { shape: readonly number[] }>>,
  name: string,
  values?: Float32Array,
): void {
  const declared = state[name];
  if (declared === undefined) throw badState(name, 'a declared name', 'none');
  if (values === undefined) return;
  const size = sizeOf(declared.shape);
  if (!(values instanceof Float32Array) || values.length !== size) {
    const given = values as Float32Array;
    throw badState(name, `a Float32Array of ${size}`, `${given.constructor.name} of ${given.length}`);
  }
}
