import { z } from 'zod';
import { isMap, type Path, valueAt } from './tree.ts';

/** What zod's wrappers and containers hold; only the parts that are looked into. */
interface Definition {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: readonly z.ZodType[];
  discriminator?: string;
}

const definitionOf = (schema: z.ZodType): Definition => schema.def as unknown as Definition;

/** A schema without optional, default and the like around it. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, type, in: input } = definitionOf(schema);
  const inner = innerType ?? (type === 'pipe' ? input : undefined);
  return inner ? unwrap(inner) : schema;
}

/**
 * The schema of a place; in a union that of the option which the value's discriminator names. Null where unknown.
 *
 * @param value - what was given for `schema` as a whole.
 */
export function schemaAt(schema: z.ZodType, path: Path, value: unknown): z.ZodType | null {
  const own = unwrap(schema);
  const [key, ...rest] = path;
  const definition = definitionOf(own);
  if (definition.options && (key !== undefined || isMap(value))) {
    const option = chosenOption(definition, value);
    if (option) return schemaAt(option, path, value);
  }
  if (key === undefined) return schema;
  const below = typeof value === 'object' && value !== null ? valueAt(value, [key]) : undefined;
  const next =
    own instanceof z.ZodObject
      ? (own.shape[key] as z.ZodType | undefined)
      : (definition.element ?? definition.valueType);
  return next ? schemaAt(next, rest, below) : null;
}

/** Options of a map, in schema order, and of each map that may be chosen; empty for anything else. */
export function optionsOf(schema: z.ZodType | null): string[] {
  const own = schema && unwrap(schema);
  if (own instanceof z.ZodObject) return Object.keys(own.shape);
  return own === null ? [] : [...new Set((definitionOf(own).options ?? []).flatMap(optionsOf))];
}

/** Paths of every option with the given name, for example `epochs` → `train.epochs`. */
export function findOption(schema: z.ZodType, name: string, path: Path = []): Path[] {
  const own = unwrap(schema);
  if (!(own instanceof z.ZodObject)) return [];
  return Object.entries(own.shape).flatMap(([key, child]) => [
    ...(key === name ? [[...path, key]] : []),
    ...findOption(child as z.ZodType, name, [...path, key]),
  ]);
}

/** Of a union at a place, the choices (what its discriminator may be) that have an option of this name; empty for anything else. */
export function choicesWith(schema: z.ZodType, path: Path, name: string): string[] {
  const union = schemaAt(schema, path, undefined);
  const { options = [], discriminator }: Partial<Definition> = union ? definitionOf(unwrap(union)) : {};
  if (discriminator === undefined) return [];
  return options
    .filter((option) => optionsOf(option).includes(name))
    .flatMap((option) => choicesOf((unwrap(option) as z.ZodObject).shape[discriminator] as z.ZodType));
}

function chosenOption({ options = [], discriminator }: Definition, value: unknown): z.ZodType | undefined {
  if (discriminator === undefined) return undefined;
  const chosen = valueAt(value, [discriminator]);
  return options.find((option) => {
    const own = unwrap(option);
    return own instanceof z.ZodObject && (own.shape[discriminator] as z.ZodType).safeParse(chosen).success;
  });
}

/** JSON Schema of what may be written for a schema. */
export type Described = z.core.JSONSchema.JSONSchema;

/** What may be written, as JSON Schema draft 7. Infinity, which JSON cannot say, is a number above all others. */
export const describeInput = (schema: z.ZodType): Described =>
  z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // What is no JSON, such as a data set passed in code, is an empty schema, which would allow anything.
      if (jsonSchema.anyOf)
        jsonSchema.anyOf = jsonSchema.anyOf.filter((option) => Object.keys(option as object).length > 0);
      const { type, values } = zodSchema._zod.def as { type: string; values?: unknown[] };
      if (type !== 'literal' || values?.[0] !== Number.POSITIVE_INFINITY) return;
      delete jsonSchema.const;
      Object.assign(jsonSchema, { type: 'number', minimum: Number.MAX_VALUE });
    },
  }) as Described;

/** Names of the options of a fixed choice; empty for anything else. */
export function choicesOf(schema: z.ZodType): string[] {
  const { enum: values, const: only, anyOf = [] } = describeInput(unwrap(schema));
  const own = values ?? (only === undefined ? [] : [only]);
  return [...own, ...anyOf.flatMap((option) => (option as Described).enum ?? (option as Described).const ?? [])].map(
    String,
  );
}

/** What is expected of a value, in words: `a number from 0 to 1`, `one of exp, step, none`. */
export const expectation = (schema: z.ZodType): string => inWords(describeInput(unwrap(schema)));

/** {@link expectation} of what is described. */
export function inWords(described: Described): string {
  const { type, enum: values, const: only, anyOf, oneOf, items, properties, pattern, title } = described;
  if (values) return `one of ${values.join(', ')}`;
  if (only !== undefined) return JSON.stringify(only);
  if (described.minimum === Number.MAX_VALUE) return '.inf';
  const options = anyOf ?? oneOf;
  if (options) {
    const names = options.map((option) => (option as Described).properties?.name);
    const known = names.map((name) => (name as Described | undefined)?.const);
    if (known.every((name) => name !== undefined)) return `a map whose name is one of ${known.join(', ')}`;
    const phrases = options.map((option) => inWords(option as Described));
    return [...new Set(phrases)].join(', or ');
  }
  if (Array.isArray(type)) return type.map((one) => inWords({ ...described, type: one })).join(', or ');
  switch (type) {
    case 'integer':
      return `a whole number${rangeOf(described)}`;
    case 'number':
      return `a number${rangeOf(described)}`;
    case 'string':
      return pattern ? (title ?? `text like ${pattern}`) : described.minLength ? 'text that is not empty' : 'text';
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'array':
      if (Array.isArray(items))
        return `a list of ${items.length}: ${items.map((item) => inWords(item as Described)).join(', ')}`;
      return `a list${described.minItems ? ` of at least ${described.minItems}` : ''}`;
    case 'object':
      return properties ? `a map with ${Object.keys(properties).join(', ')}` : 'a map';
    default:
      return 'another value';
  }
}

function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Described): string {
  const low = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const high = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (low !== undefined && high !== undefined) return ` from ${low} to ${high}`;
  const parts = [
    ...(low !== undefined ? [`${low} or more`] : []),
    ...(exclusiveMinimum !== undefined ? [`above ${exclusiveMinimum}`] : []),
    ...(high !== undefined ? [`${high} or less`] : []),
    ...(exclusiveMaximum !== undefined ? [`below ${exclusiveMaximum}`] : []),
  ];
  return parts.length > 0 ? ` ${parts.join(' and ')}` : '';
}
