import { z } from 'zod';
import type { Tree } from './tree.ts';

const unique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

/** Whether a file is a sweep, by what it lists. */
export const isSweep = ({ configs, methods, data }: Tree): boolean => [configs, methods, data].some(Array.isArray);

const file = z.string().min(1);

const choices = () => z.array(z.unknown()).min(1).refine(unique, 'expected each value once');

const range = z
  .strictObject({
    min: z.number(),
    max: z.number(),
    scale: z.enum(['linear', 'log']).default('linear'),
    whole: z.boolean().default(false),
  })
  .refine(({ min, max }) => min < max, 'expected `min` below `max`')
  .refine(({ min, max, whole }) => !whole || (Number.isInteger(min) && Number.isInteger(max)), 'expected whole numbers')
  .refine(({ min, scale }) => scale === 'linear' || min > 0, 'expected `min` above 0 for a logarithmic scale');

/** Numbers that a setting is drawn from: between the two, evenly on the scale; `whole` rounds them. */
export type Range = z.output<typeof range>;

const filesList = () =>
  z
    .array(z.union([file, z.array(file).min(1)]))
    .min(1)
    .refine((items) => unique(items.map((item) => JSON.stringify(item))), 'expected each config once')
    .optional();

/** A sweep as it is written: a grid of configs, settings and seeds. */
export const sweepOptions = z.strictObject({
  $schema: z.string().optional().describe('JSON Schema of this file, for editors.'),
  name: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional()
    .describe('Name of the sweep: letters, digits, dots, dashes. Default: that of the file.'),
  configs: filesList().describe(
    'Configs of runs, relative to this file; tables list them in this order. A list of files is one run, whose later files win.',
  ),
  methods: filesList().describe(
    'Configs that are half a run: each of them runs with each of `data`. A list of files is one method.',
  ),
  data: filesList().describe('The other halves of `methods`, which win over them. A list of files is one half.'),
  seeds: z
    .array(z.int().min(0))
    .min(1)
    .refine(unique, 'expected each seed once')
    .default([0])
    .describe('Seeds that each config runs with.'),
  set: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Settings of every run: path to value, as `--set` takes them.'),
  grid: z
    .record(z.string(), choices())
    .default({})
    .describe('Settings that vary: path to list of values; every combination runs.'),
  search: z
    .strictObject({
      space: z
        .record(z.string(), z.union([choices(), range]))
        .refine((space) => Object.keys(space).length > 0, 'expected a setting or more to search over')
        .describe('Settings that are drawn: path to a range, or to a list of values.'),
      trials: z.int().positive().describe('Drawn combinations of the settings, each with each config and seed.'),
      seed: z.int().min(0).default(0).describe('Of the draws; more trials keep the first ones as they are.'),
      halving: z
        .strictObject({
          from: z.int().positive().describe('Epochs that every trial trains for.'),
          factor: z
            .number()
            .min(1.5)
            .default(3)
            .describe('One in so many trials goes on, for so many times the epochs.'),
        })
        .optional()
        .describe(
          'Successive halving on validation: trials that are behind are not trained to their end. Default: all are.',
        ),
    })
    .optional()
    .describe('Draws settings at random. It chooses by balanced accuracy on validation, which every run must have.'),
  baseline: z
    .boolean()
    .optional()
    .describe(
      'A run beside those that vary options of plugins, without these plugins. Default: with `search`; never with a grid alone.',
    ),
  jobs: z
    .int()
    .positive()
    .optional()
    .describe('Runs at once. Default: 1; on the WASM backend, where a run has one thread, one for each core.'),
  out: z.string().min(1).optional().describe('Folder of the runs. Default: runs/<name>.'),
});
