import { z } from 'zod';
import { dataOptions } from '../data/options.ts';
import type { ModelChoice } from '../models/definition.ts';
import { modelSection, transferOptions } from '../models/options.ts';
import { label } from '../plugin.ts';
import { adamw, sgd } from '../step/options.ts';
import { evaluateOptions, trainOptions } from '../train/options.ts';
import type { PluginEntry } from './types.ts';

const isEntry = (value: unknown): value is PluginEntry =>
  typeof value === 'object' && value !== null && ('use' in value || 'definition' in value);

/** A map's options without defaults, to write over those of another map. */
function withoutDefaults<Shape extends z.ZodRawShape>(
  shape: Shape,
): { [Key in keyof Shape]: z.ZodOptional<z.ZodType> } {
  const entries = Object.entries(shape).map(([key, option]) => {
    const own = option as z.ZodType;
    const inner = own instanceof z.ZodDefault || own instanceof z.ZodPrefault ? (own.unwrap() as z.ZodType) : own;
    return [key, inner.optional().describe(own.description ?? '')];
  });
  return Object.fromEntries(entries) as { [Key in keyof Shape]: z.ZodOptional<z.ZodType> };
}

const { name: _sgd, ...sgdOptions } = sgd.shape;
const { name: _adamw, ...adamwOptions } = adamw.shape;

/** A phase of a run: what it has of its own. */
export const phaseOptions = z.strictObject({
  name: label(z.string().min(1))
    .optional()
    .describe('Name of the phase in plan, metrics and summary, unique. Default: `phase 1`, `phase 2` …'),
  epochs: z.int().positive().optional().describe('Epochs of the phase. Default: train.epochs.'),
  model: z
    .strictObject(transferOptions)
    .omit({ init: true })
    .prefault({})
    .describe(
      'Which weights of the previous phase are reinitialized, and which are not trained. Default: none reinitialized, frozen as in `model`.',
    ),
  train: z
    .strictObject({
      ...withoutDefaults({
        batchSize: trainOptions.shape.batchSize,
        dropLast: trainOptions.shape.dropLast,
        reduction: trainOptions.shape.reduction,
      }),
      optimizer: z
        .strictObject({
          name: z.enum(['sgd', 'adamw']).optional().describe('Another optimizer starts from its own defaults.'),
          ...withoutDefaults({ ...adamwOptions, ...sgdOptions }),
        })
        .optional()
        .describe('Options of the optimizer that differ; its momentum starts from nothing in any case.'),
    })
    .prefault({})
    .describe('What differs from `train`.'),
  plugins: z
    .array(z.custom<PluginEntry>(isEntry, 'expected a map with `use`'))
    .optional()
    .describe('Plugins of the phase, in order, in the place of those of the run. Default: those of the run.'),
});

/** A run as it is written. Plugin entries are checked by the options of the plugin that they name. */
export const runOptions = z.strictObject({
  $schema: z.string().optional().describe('JSON Schema of this file, for editors.'),
  extends: z
    .union([z.string().min(1), z.array(z.string().min(1))])
    .optional()
    .describe('Config or configs to start from, relative to this file. Maps merge, lists replace, null removes.'),
  name: label(z.string().min(1)).default('run').describe('Name of the run; its directory starts with it.'),
  method: label(z.string().min(1)).optional().describe('Label of the method in tables and charts. Default: the name.'),
  seed: z.int().min(0).default(0).describe('Seed of everything the run draws; the subset has its own.'),
  data: dataOptions.describe('Which images, how long the tail, and how they are read.'),
  model: modelSection.describe('The network.'),
  train: trainOptions.prefault({}).describe('Epochs, batches, optimizer, precision.'),
  evaluate: evaluateOptions.prefault({}).describe('When and how the run is evaluated.'),
  backend: z
    .enum(['auto', 'native', 'native-gpu', 'wasm'])
    .default('auto')
    .describe('Engine: auto takes TAILMIX_BACKEND, else the fastest that is set up.'),
  plugins: z
    .array(z.custom<PluginEntry>(isEntry, 'expected a map with `use`'))
    .default([])
    .describe('What the run does beside plain training, in order.'),
  phases: z
    .array(phaseOptions)
    .min(1)
    .optional()
    .describe(
      'Parts of the run, one after the other, each from the weights of the one before; what a phase does not say is as the run says. Default: one part.',
    ),
  out: z.string().min(1).optional().describe('Run directory. Default: runs/<name>-<time>.'),
});

/** A run as a user writes it, for `export default { … } satisfies RunInput` in a TypeScript config. */
export type RunInput = Omit<z.input<typeof runOptions>, 'model'> & {
  model:
    | z.input<typeof modelSection>
    | ModelChoice
    | { name: `./${string}` | `../${string}`; [option: string]: unknown };
};
