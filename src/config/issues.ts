import type { z } from 'zod';
import { displayValue, messageOf } from '../errors.ts';
import { isLabel } from '../plugin.ts';
import { suggest } from '../util/suggest.ts';
import { choicesOf, choicesWith, expectation, findOption, optionsOf, schemaAt, unwrap } from './shape.ts';
import { formatPath, mapLeaves, type Path, valueAt } from './tree.ts';

/** What is wrong at a place, in words. */
export interface Finding {
  path: Path;
  message: string;
}

/** What a part of a config came to: its value, or what is wrong with it. */
export interface Result<T> {
  /** Undefined where the part does not hold, or where nothing could be said of it. */
  value: T | undefined;
  findings: readonly Finding[];
}

export const valid = <T>(value: T): Result<T> => ({ value, findings: [] });
export const invalid = (...findings: readonly Finding[]): Result<never> => ({ value: undefined, findings });

/** Findings of a part, at their places in the whole. */
export const within = (at: Path, findings: readonly Finding[]): Finding[] =>
  findings.map(({ path, message }) => ({ path: [...at, ...path], message }));

/** What was checked, and how to speak of it. */
export interface Checked<Schema extends z.ZodType = z.ZodType> {
  schema: Schema;
  /** As given to the schema. */
  value: unknown;
  /** The same with placeholders where it had them; messages show only this. */
  written: unknown;
  /** Who has the options at the root: `remix`, `a run`. */
  owner: string;
}

/** A value by its schema, with defaults in; `at` is its place in the config. */
export function check<Schema extends z.ZodType>(checked: Checked<Schema>, at: Path = []): Result<z.output<Schema>> {
  const value = withLabels(checked);
  const parsed = parse(checked, value);
  if ('threw' in parsed) return invalid({ path: at, message: parsed.threw });
  if (parsed.success) return valid(parsed.data);
  const typed = withTyped(value, checked.written, parsed.error.issues);
  const again = typed === value ? parsed : parse(checked, typed);
  if ('threw' in again) return invalid({ path: at, message: again.threw });
  if (again.success) return valid(again.data);
  return invalid(...within(at, describeIssues(again.error.issues, checked)));
}

/** A check of a user's own in a schema may throw anything. */
function parse<Schema extends z.ZodType>({ schema, owner }: Checked<Schema>, value: unknown) {
  try {
    return schema.safeParse(value);
  } catch (error) {
    return { threw: `expected options that can be checked; the check of ${owner} threw: ${messageOf(error)}` };
  }
}

const hasPlaceholder = (written: unknown): written is string =>
  typeof written === 'string' && written.includes('${env:');

/** The value with placeholders as they are written in texts for people. */
const withLabels = ({ schema, value, written }: Checked): unknown =>
  mapLeaves(value, (leaf, path) => {
    const own = valueAt(written, path);
    if (!hasPlaceholder(own) || typeof leaf !== 'string') return leaf;
    const option = schemaAt(schema, path, value);
    return option !== null && isLabel(unwrap(option)) ? own : leaf;
  });

/** The value with numbers, true and false in the place of texts from the environment that do not fit as texts. */
function withTyped(value: unknown, written: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const places = new Set(issues.map(({ path }) => formatPath(path as Path)));
  let changed = false;
  const typed = mapLeaves(value, (leaf, path) => {
    if (typeof leaf !== 'string' || !places.has(formatPath(path)) || !hasPlaceholder(valueAt(written, path)))
      return leaf;
    const scalar = SCALAR.test(leaf) ? (JSON.parse(leaf) as unknown) : leaf;
    changed ||= scalar !== leaf;
    return scalar;
  });
  return changed ? typed : value;
}

/** A number, true or false as JSON writes it. */
const SCALAR = /^(true|false|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)$/;

/** zod's issues as sentences: what was expected, what came, what may have been meant. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], checked: Checked): Finding[] {
  return issues.flatMap((issue) => describeIssue(issue, checked));
}

/** Unknown options of a map that are reported. */
const TOLD = 20;

function describeIssue(issue: z.core.$ZodIssue, checked: Checked): Finding[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const { keys } = issue;
    const told = keys
      .slice(0, TOLD)
      .map((key) => ({ path: [...path, key], message: unknownOption(key, path, checked) }));
    const left = keys.length - told.length;
    return left > 0 ? [...told, { path, message: `${left} more options that there are not.` }] : told;
  }
  const written = valueAt(checked.written, path);
  const got = `got ${displayValue(written)}`;
  if (issue.code === 'custom') return [{ path, message: sentence(issue.message, got) }];
  const schema = schemaAt(checked.schema, path, checked.value);
  const discriminated = issue.code === 'invalid_union' && 'options' in issue ? issue.options?.map(String) : undefined;
  const choices = discriminated ?? (schema ? choicesOf(schema) : []);
  const expected = discriminated ? `one of ${discriminated.join(', ')}` : schema ? expectation(schema) : null;
  if (expected === null) return [{ path, message: sentence(issue.message, got) }];
  if (written === undefined) return [{ path, message: `is required: ${expected}.` }];
  const near = typeof written === 'string' ? suggest(written, choices) : null;
  return [{ path, message: `expected ${expected}, ${got}.${near ? ` Did you mean "${near}"?` : ''}` }];
}

/** A schema's own message, with what came when it says only what was expected. */
const sentence = (message: string, got: string): string =>
  `${message}${message.startsWith('expected') && !message.includes('got') ? `, ${got}` : ''}${message.endsWith('.') ? '' : '.'}`;

function unknownOption(key: string, path: Path, { schema, value, owner }: Checked): string {
  const options = optionsOf(schemaAt(schema, path, value));
  const near = suggest(key, options);
  const [elsewhere] = findOption(schema, key);
  const meant = near
    ? `"${near}"`
    : elsewhere && `"${formatPath(elsewhere)}"${elsewhere.length > 1 ? '' : ' at the top level'}`;
  const where = path.length === 0 ? owner : formatPath(path);
  const list = options.length > 0 ? `Options: ${options.join(', ')}.` : 'It has none.';
  const others = choicesWith(schema, path, key);
  const has = others.length > 0 ? ` "${key}" is an option of ${others.join(', ')}.` : '';
  return `${where} has no option "${key}".${meant ? ` Did you mean ${meant}?` : ''} ${list}${has}`;
}
