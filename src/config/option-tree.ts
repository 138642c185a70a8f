import { type Described, inWords } from './shape.ts';
import { isMap, type Path, parsePath, valueAt } from './tree.ts';

/** A part of a JSON Schema, and the choice that it belongs to, such as the optimizer `sgd`; null outside of choices. */
export interface Found {
  described: Described;
  choice: string | null;
}

/** An option, or a map of them, as a reader finds it. */
export interface OptionHelp {
  path: string;
  description: string;
  /** In words, with bounds: `a number above 0`. */
  type: string;
  /** Undefined without one. */
  default?: unknown;
  /** What it belongs to, such as the optimizer `sgd`; null where it is in any. */
  choice: string | null;
}

/**
 * Everything that a path may name: an option has one place, or one for each choice that has it. An entry of a list is named by
 * its number, or by its `use` or `name`: `plugins.remix.kappa`.
 *
 * @param config - what is known of the config: it decides which choice is meant.
 */
export function optionsAt(schema: Described, path: Path, config: unknown = {}): Found[] {
  let at: Found[] = [{ described: schema, choice: null }];
  for (const [depth, key] of path.entries()) {
    // Another name may be chosen.
    const value = key === 'name' ? undefined : valueAt(config, path.slice(0, depth));
    at = at.flatMap(({ described, choice }) => below(schema, described, key, value, choice));
  }
  return at;
}

/** The places below one that have a name. */
function below(
  root: Described,
  described: Described,
  key: string | number,
  value: unknown,
  choice: string | null,
): Found[] {
  const { properties, additionalProperties } = described;
  const own = properties?.[key] ?? (isMap(additionalProperties) ? additionalProperties : undefined);
  if (own !== undefined) return [{ described: resolved(root, own as Described), choice }];
  const { items } = described;
  if (items !== undefined && !Array.isArray(items)) {
    const item = resolved(root, items as Described);
    if (typeof key === 'number') return [{ described: item, choice }];
    const named = (item.anyOf ?? []).filter((one) => nameOf(one as Described) === key);
    return named.map((one) => ({ described: one as Described, choice: null }));
  }
  return choices(described, value).flatMap((one) => below(root, one, key, value, nameOf(one) ?? choice));
}

/** The choices of a place, or those that the value's `name` leaves. */
function choices({ anyOf = [], oneOf = [] }: Described, value: unknown): Described[] {
  const all = [...anyOf, ...oneOf] as Described[];
  const name = isMap(value) ? value.name : undefined;
  const meant = all.filter((one) => nameOf(one) === name);
  return name !== undefined && meant.length > 0 ? meant : all;
}

/** What a choice is told by: its `use` or `name`. */
const nameOf = ({ properties }: Described): string | undefined =>
  ((properties?.use ?? properties?.name) as Described | undefined)?.const as string | undefined;

function resolved(root: Described, described: Described): Described {
  const { $ref } = described;
  if ($ref === undefined) return described;
  return valueAt(root, $ref.split('/').slice(1)) as Described;
}

/** Names of what is below a place: options, or entries of a list that have names. */
export function namesBelow(schema: Described, at: readonly Found[], config?: unknown): Map<string, string> {
  const names = new Map<string, string>();
  const add = (described: Described): void => {
    for (const [name, one] of Object.entries(described.properties ?? {}))
      if (!names.has(name)) names.set(name, (one as Described).description ?? '');
    for (const one of choices(described, config)) add(one);
    if (described.items === undefined || Array.isArray(described.items)) return;
    for (const one of (resolved(schema, described.items as Described).anyOf ?? []) as Described[]) {
      const name = nameOf(one);
      if (name !== undefined) names.set(name, one.description ?? '');
    }
  };
  for (const { described } of at) add(described);
  return names;
}

/** Values of a fixed choice at a place; empty for anything else. */
export function valuesOf(at: readonly Found[]): string[] {
  const values = (described: Described): string[] => {
    const { type, enum: fixed = [], const: only, anyOf = [], oneOf = [], items } = described;
    return [
      ...(type === 'boolean' && only === undefined ? ['true', 'false'] : []),
      ...[...fixed, ...(only === undefined ? [] : [only])].map(String),
      ...[...anyOf, ...oneOf].flatMap((one) => values(one as Described)),
      ...(described.minimum === Number.MAX_VALUE ? ['.inf'] : []),
      // A list of fixed words on one line: [a].
      ...(isMap(items) ? values(items as Described).map((value) => `[${value}]`) : []),
    ];
  };
  return [...new Set(at.flatMap(({ described }) => values(described)))];
}

/** What there is to say about each place of a path; places that say the same are one. */
export function helpOf(path: string, at: readonly Found[]): OptionHelp[] {
  const all = at.map(({ described, choice }) => ({
    path,
    description: described.description ?? '',
    type: typeOf(described),
    // An empty map has the defaults of its options.
    ...(described.default !== undefined &&
      JSON.stringify(described.default) !== '{}' && { default: described.default as unknown }),
    choice,
  }));
  const [first, ...others] = all;
  const said = (one: OptionHelp): string => JSON.stringify({ ...one, choice: null });
  return first !== undefined && others.every((one) => said(one) === said(first)) ? [{ ...first, choice: null }] : all;
}

/** A choice of maps by what tells them apart; each holds more than can be listed. */
function typeOf(described: Described): string {
  const names = choices(described, undefined).flatMap((one) => nameOf(one) ?? []);
  return names.length > 0 ? `a map whose name is one of ${names.join(', ')}` : inWords(described);
}

/** Paths of all options and maps, without numbers. */
export function allPaths(schema: Described): string[] {
  const walk = (path: string[], described: Described): string[] =>
    [...namesBelow(schema, [{ described, choice: null }]).keys()].flatMap((name) => {
      const own = [...path, name];
      if (own[0] === 'phases' && own.length > 1) return [];
      const inside = below(schema, described, name, {}, null);
      return [own.join('.'), ...new Set(inside.flatMap((one) => walk(own, one.described)))];
    });
  return [...new Set(walk([], schema))];
}

/** A path as `--set` takes it; empty where it is of no such form. */
export const pathOf = (text: string): Path => parsePath(text) ?? [];
