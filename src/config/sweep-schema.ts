import { z } from 'zod';
import type { Tree } from './tree.ts';

const unique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

/** Whether a file is a sweep, by what it lists. */
export const isSweep = ({ configs, methods, data }: Tree): boolean => [configs, methods, data].some(Array.isArray);

const file = z.string().min(1);

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
    .record(z.string(), z.array(z.unknown()).min(1).refine(unique, 'expected each value once'))
    .default({})
    .describe('Settings that vary: path to list of values; every combination runs.'),
  jobs: z
    .int()
    .positive()
    .optional()
    .describe('Runs at once. Default: 1; on the WASM backend, where a run has one thread, one for each core.'),
  out: z.string().min(1).optional().describe('Folder of the runs. Default: runs/<name>.'),
});
