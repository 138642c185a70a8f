import type { z } from 'zod';
import type { PluginDefinition } from '../plugin.ts';
import { mapValues } from '../util/map-values.ts';
import { runOptions } from './schema.ts';
import { type Described, describeInput } from './shape.ts';
import { sweepOptions } from './sweep-schema.ts';

/** A plugin, and one sentence on it for editors. */
export interface DescribedPlugin {
  definition: PluginDefinition;
  description: string;
}

const enabled: Described = {
  type: 'boolean',
  default: true,
  description: 'false leaves the plugin out; the way to switch off a default.',
};

const pinned: Described = {
  type: 'object',
  description:
    'Written by tailmix: checksums of files and networks that the plugin reads, which must stay what they are.',
};

/**
 * JSON Schema (draft 7) of a run's config, for editors: `configs/schema.json`.
 * Nothing is required outside lists, since a file may extend another.
 */
export function runJsonSchema(plugins: readonly DescribedPlugin[]): Described {
  const { $schema, properties, ...schema } = optional(describeInput(runOptions));
  const { plugins: list, phases, model, ...others } = properties as Record<string, Described>;
  const names = plugins.map(({ definition }) => definition.name);
  const items = { anyOf: [...plugins.map((plugin) => runEntry(plugin, plugins)), otherEntry(names)] };
  return {
    $schema: $schema!,
    title: 'A run of tailmix',
    ...schema,
    properties: {
      ...others,
      model: { ...model, anyOf: [...(model!.anyOf as Described[]), otherModel] },
      plugins: withChanges({ ...list, items }),
      phases: withEntries(phases!),
    },
  };
}

/** A list of plugins, or in a config that extends another a map that changes single ones of it. */
function withChanges({ type: _, description, ...list }: Described): Described {
  return {
    description:
      `${description} In a file that extends another also a map: \`NAME: { option: value }\` changes an inherited plugin, ` +
      '`NAME: null` takes it out, `$append` and `$prepend` add plugins.',
    type: ['array', 'object'],
    ...list,
    // Not by name: what is looked up here by name is an entry of the list.
    patternProperties: {
      '^\\$(append|prepend)$': { type: 'array', items: { $ref: '#/properties/plugins/items' } },
      '^[^$]': { type: ['object', 'null'] },
    },
    additionalProperties: false,
  };
}

/** The list of phases, each with plugins of its own. */
function withEntries(phases: Described): Described {
  const phase = phases.items as Described;
  const { plugins, ...others } = phase.properties as Record<string, Described>;
  const own = { ...(plugins as Described), items: { $ref: '#/properties/plugins/items' } };
  return { ...phases, items: { ...phase, properties: { ...others, plugins: own } } };
}

/** JSON Schema (draft 7) of a sweep: `configs/sweep-schema.json`. */
export const sweepJsonSchema = (): Described => ({ title: 'A sweep of tailmix', ...describeInput(sweepOptions) });

function runEntry(plugin: DescribedPlugin, plugins: readonly DescribedPlugin[]): Described {
  const { properties, ...entry } = entryOf(plugin);
  const { holds, prepare, provides = [] } = plugin.definition;
  if (holds === undefined) return { ...entry, properties: { ...properties, ...(prepare && { pinned }), enabled } };
  const candidates = plugins.filter(({ definition: { holds: nested, provides: own = [], requires = [] } }) => {
    const fits = own.length > 0 && own.every((capability) => provides.includes(capability));
    return fits && requires.length === 0 && nested === undefined;
  });
  const list = properties![holds] as Described;
  const { plugin: _, ...keys } = (list.items as Described).properties as Record<string, Described>;
  const items = [...candidates.map(entryOf), otherEntry(plugins.map(({ definition }) => definition.name))].map(
    (candidate) => ({ ...candidate, properties: { ...candidate.properties, ...keys } }),
  );
  return { ...entry, properties: { ...properties, [holds]: { ...list, items: { anyOf: items } }, enabled } };
}

function entryOf({ definition: { name, options }, description }: DescribedPlugin): Described {
  const { $schema: _, properties, required = [], ...schema } = describeInput(options as z.ZodType);
  return {
    title: name,
    description,
    ...schema,
    properties: { use: { const: name, description }, ...properties },
    required: ['use', ...required],
  };
}

const otherModel: Described = {
  title: 'model of your own',
  type: 'object',
  properties: {
    name: {
      type: 'string',
      pattern: '^\\.{1,2}/',
      description: 'A path relative to this file (`./my-model.ts`).',
    },
  },
};

const otherEntry = (names: readonly string[]): Described => ({
  title: 'plugin of your own',
  type: 'object',
  properties: {
    use: {
      type: 'string',
      minLength: 1,
      not: { enum: [...names] },
      description: 'A path relative to this file (`./my-plugin.ts`), or a package.',
    },
    enabled,
  },
  required: ['use'],
});

/** Without `required`, but for what is in lists: lists never merge. */
function optional({ required: _, ...schema }: Described): Described {
  const inside = (children: readonly unknown[] | undefined) => children?.map((child) => optional(child as Described));
  return {
    ...schema,
    ...(schema.properties && {
      properties: mapValues(schema.properties, (child) => optional(child as Described)),
    }),
    ...(schema.anyOf && { anyOf: inside(schema.anyOf) }),
    ...(schema.oneOf && { anyOf: inside(schema.oneOf), oneOf: undefined }),
  } as Described;
}
