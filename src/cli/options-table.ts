import { z } from 'zod';

/** An option as a reader sees it. */
export interface OptionDescription {
  name: string;
  /** In words, for example `number > 1 or .inf`. */
  type: string;
  /** As YAML would write it; null for an option without a default. */
  default: string | null;
  description: string;
}

/** Options of a schema in their order: what `tailmix plugins NAME` and the method cards show. */
export function describeOptions(options: z.ZodObject): OptionDescription[] {
  return Object.entries(options.shape).map(([name, field]) => {
    const { inner, fallback } = unwrap(field);
    return {
      name,
      type: describeType(inner),
      default: fallback === undefined ? null : describeValue(fallback),
      description: z.globalRegistry.get(field)?.description ?? '',
    };
  });
}

/** The options as a Markdown table, or a sentence where there are none. */
export function optionsTable(options: z.ZodObject): string {
  const rows = describeOptions(options);
  if (rows.length === 0) return 'None.\n';
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const table = [
    ['option', 'type', 'default', 'meaning'],
    ...rows.map(({ name, type, default: fallback, description }) => [
      `\`${name}\``,
      cell(type),
      fallback === null ? '–' : `\`${fallback}\``,
      cell(description),
    ]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const line = (cells: readonly string[], fill = ' '): string =>
    `| ${cells.map((text, column) => text.padEnd(widths[column]!, fill)).join(' | ')} |`;
  const [head, ...body] = table;
  const rule = line(
    widths.map(() => ''),
    '-',
  );
  return [line(head!), rule, ...body.map((row) => line(row)), ''].join('\n');
}

/** Replaces what stands under a method card's heading `## Options` by the table of its schema. */
export function withOptionsTable(card: string, options: z.ZodObject): string {
  return card.replace(
    /(^## Options\n\n)[\s\S]*?(?=^## )/m,
    (_, heading: string) => `${heading}${optionsTable(options)}\n`,
  );
}

type Field = z.core.$ZodType;

function unwrap(field: Field): { inner: Field; fallback: unknown } {
  if (field instanceof z.ZodDefault) return { inner: field.def.innerType, fallback: field.def.defaultValue };
  if (field instanceof z.ZodOptional) return { inner: field.def.innerType, fallback: undefined };
  return { inner: field, fallback: undefined };
}

function describeType(field: Field): string {
  if (field instanceof z.ZodEnum) return field.options.map((option) => `\`${option}\``).join(', ');
  if (field instanceof z.ZodLiteral) return field.def.values.map((value) => `\`${describeValue(value)}\``).join(', ');
  if (field instanceof z.ZodUnion) return field.options.map(describeType).join(' or ');
  if (field instanceof z.ZodArray && holdsPlugin(field.element)) return 'list of plugin entries';
  if (field instanceof z.ZodArray) return `list of ${describeType(field.element)}`;
  if (field instanceof z.ZodNumber) return describeNumber(field);
  if (field instanceof z.ZodRecord) return `${describeType(field.valueType as Field)} by name`;
  return field._zod.def.type;
}

const holdsPlugin = (element: Field): boolean => element instanceof z.ZodObject && 'plugin' in element.shape;

function describeNumber(field: z.ZodNumber): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, type } = z.toJSONSchema(field, { io: 'input' });
  // Integers come with the safe range as bounds, which says nothing.
  const finite = (bound: unknown): boolean => typeof bound === 'number' && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
  const bounds = [
    ...(finite(exclusiveMinimum) ? [`> ${exclusiveMinimum}`] : []),
    ...(finite(minimum) ? [`≥ ${minimum}`] : []),
    ...(finite(exclusiveMaximum) ? [`< ${exclusiveMaximum}`] : []),
    ...(finite(maximum) ? [`≤ ${maximum}`] : []),
  ];
  return [type, bounds.join(', ')].filter(Boolean).join(' ');
}

const describeValue = (value: unknown): string =>
  value === Number.POSITIVE_INFINITY
    ? '.inf'
    : Array.isArray(value)
      ? `[${value.map(describeValue).join(', ')}]`
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value);
