import { z } from 'zod';
import { dataOptions } from '../data/options.ts';
import { displayValue } from '../errors.ts';
import { isModelChoice } from '../models/definition.ts';
import { modelSection } from '../models/options.ts';
import { isPlugin } from '../plugin.ts';
import { evaluateOptions, trainOptions } from '../train/options.ts';
import type { TrainerOptions } from '../train/prepare.ts';
import { createTrainer as create, type RunResult } from '../train/trainer.ts';
import { configInvalid } from './errors.ts';
import { check, type Finding } from './issues.ts';
import { runOptions } from './schema.ts';
import { formatPath, holdsItself, isMap, type Path, type Tree, valueAt } from './tree.ts';

/**
 * Makes a trainer; `run()` trains, evaluates and tells every observer, once. Several may run at the same time in one
 * process, on one backend; each comes to what it would alone.
 *
 * @throws {TailmixError} CONFIG_INVALID from `run()`, with everything that is wrong, as for a config file
 * @example
 * await createTrainer({ data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [mixup(), remix({ kappa: 3 })] }).run();
 */
export function createTrainer(options: TrainerOptions): { run(): Promise<RunResult> } {
  return {
    async run() {
      const findings = findingsOf(options);
      if (findings.length > 0) {
        throw configInvalid(
          findings.map(({ path, message }) => ({ where: 'createTrainer', path: formatPath(path), message })),
        );
      }
      return create(options).run();
    },
  };
}

const { name, method, seed, backend } = runOptions.shape;
/** Checked by itself, or made by tailmix. */
const other = z.unknown().optional();

/** All options that there are. */
const outermost = z.strictObject({
  name: name.optional(),
  method,
  seed: seed.optional(),
  data: other,
  model: other,
  start: other,
  plugins: other,
  phases: other,
  train: other,
  evaluate: other,
  backend: backend.optional(),
  directory: z.string().min(1).optional(),
  ownership: other,
  resume: other,
  allowOtherData: z.boolean().optional(),
  link: other,
  recordings: other,
  config: other,
  until: z.int().positive().optional(),
  signal: z.custom((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
  onDataProgress: z.custom((value) => typeof value === 'function', 'expected a function').optional(),
  known: other,
} satisfies Record<keyof TrainerOptions, z.ZodType>);

/** The options without what is checked by itself, which may be large or contain itself. */
const outermostOf = (options: Tree): Tree =>
  Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      if (!Object.hasOwn(outermost.shape, key)) return [key, null];
      return [key, outermost.shape[key as keyof TrainerOptions] === other ? undefined : value];
    }),
  );

function findingsOf(options: unknown): Finding[] {
  if (!isMap(options)) return [{ path: [], message: `expected a map of options, got ${displayValue(options)}.` }];
  const { data, model, train = {}, evaluate = {}, phases } = options;
  const section = (owner: string, schema: z.ZodType, value: unknown, path: Path = [owner]): readonly Finding[] =>
    holdsItself(value)
      ? [{ path, message: 'expected a value that ends; it contains itself.' }]
      : check({ schema, value, written: value, owner }, path).findings;
  const places: Path[] = [
    ['plugins'],
    ...(Array.isArray(phases) ? phases.map((_, i): Path => ['phases', i, 'plugins']) : []),
  ];
  if (phases !== undefined && !Array.isArray(phases))
    return [{ path: ['phases'], message: `expected a list, got ${displayValue(phases)}.` }];
  return [
    ...section('createTrainer', outermost, outermostOf(options), []),
    ...(typeof data === 'object' && data !== null && 'train' in data ? [] : section('data', dataOptions, data)),
    ...(isMadeModel(model) ? [] : section('model', modelSection, model)),
    ...section('train', trainOptions, train),
    ...section('evaluate', evaluateOptions, evaluate),
    ...places.flatMap((path) => pluginFindings(valueAt(options, path), path)),
  ];
}

/** A function that makes a model, a call of one of the user's own, or a model. */
const isMadeModel = (model: unknown): boolean =>
  typeof model === 'function' || isModelChoice(model) || (isMap(model) && typeof model.forward === 'function');

function pluginFindings(plugins: unknown, path: Path): Finding[] {
  if (plugins === undefined) return [];
  if (!Array.isArray(plugins)) return [{ path, message: `expected a list, got ${displayValue(plugins)}.` }];
  return plugins.flatMap((plugin: unknown, i) =>
    isPlugin(plugin)
      ? []
      : [{ path: [...path, i], message: `expected a plugin, got ${displayValue(plugin)}.${hintFor(plugin)}` }],
  );
}

function hintFor(plugin: unknown): string {
  const name = isMap(plugin) ? plugin.use : plugin;
  if (typeof plugin === 'function' && 'definition' in plugin) return ' Call it: a plugin is what its function returns.';
  if (typeof name !== 'string') return '';
  const call = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return ` Import it and call it: \`import ${call} from 'tailmix/plugins/${name}'\`, then \`${call}()\`.`;
}
