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
import { formatPath, isMap, type Path, valueAt } from './tree.ts';

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

function findingsOf(options: unknown): Finding[] {
  if (!isMap(options)) return [{ path: [], message: `expected a map of options, got ${displayValue(options)}.` }];
  const { data, model, train = {}, evaluate = {}, phases } = options;
  const section = (name: string, schema: Parameters<typeof check>[0]['schema'], value: unknown): readonly Finding[] =>
    check({ schema, value, written: value, owner: name }, [name]).findings;
  const places: Path[] = [
    ['plugins'],
    ...(Array.isArray(phases) ? phases.map((_, i): Path => ['phases', i, 'plugins']) : []),
  ];
  return [
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
