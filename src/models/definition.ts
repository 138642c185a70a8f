import type { z } from 'zod';
import { transferOptions } from './options.ts';
import type { ImageTask, Model } from './types.ts';

/** What a model of a user's own is: its options, and a function that makes it. */
export interface ModelDefinition<Options extends z.ZodObject = z.ZodObject> {
  /** kebab-case; names the model in plans and exports. */
  name: string;
  /** `z.strictObject`; each option described, with a default where it has one. `init`, `reset`, `freeze` and `frozenNorm` are added. */
  options: Options;
  /** Makes the model for a number of classes and a shape of images; it may read files. */
  create(options: z.output<Options>, task: ImageTask): Model | Promise<Model>;
}

/** A definition with its options filled in: what `model` of a run may be. */
export interface ModelChoice {
  definition: ModelDefinition;
  /** Resolved, defaults in. */
  options: Record<string, unknown>;
}

/** A model as users call it: `tinyViT({ depth: 4 })`. The definition hangs on it, for YAML. */
export interface ModelFactory<Options extends z.ZodObject = z.ZodObject> {
  (options?: z.input<Options> & z.input<z.ZodObject<typeof transferOptions>>): ModelChoice;
  definition: ModelDefinition<Options>;
}

/**
 * Makes a model that a config can name by its file (`model: { name: ./my-model.ts, depth: 4 }`) and code can call.
 *
 * @throws {z.ZodError} from the returned factory when options do not fit; the config reader turns it into a report.
 */
export function defineModel<Options extends z.ZodObject>(definition: ModelDefinition<Options>): ModelFactory<Options> {
  const whole = { ...definition, options: definition.options.extend(transferOptions) } as unknown as ModelDefinition;
  const factory = (options?: object): ModelChoice => ({
    definition: whole,
    options: whole.options.parse(options ?? {}),
  });
  return Object.assign(factory, { definition: whole as unknown as ModelDefinition<Options> });
}

/** True for a model made by a call, `tinyViT({ depth: 4 })`. */
export const isModelChoice = (value: unknown): value is ModelChoice =>
  typeof value === 'object' &&
  value !== null &&
  'definition' in value &&
  typeof (value as ModelChoice).definition.create === 'function';
