import type { Adaptation, Adapted, ExtraRows, TwoViews } from '../adaptation.ts';
import { declared } from '../compose/declared.ts';
import { rowValues } from '../data/features.ts';
import type { StepRows, Subset } from '../data/types.ts';
import type { HostOutputs } from '../graph/index.ts';
import type { Plugin } from '../plugin.ts';
import { randomStream } from '../random.ts';
import { pluginFailed, returnedWrong } from '../step/errors.ts';
import type { Origin } from '../step/owner.ts';
import { EXTRA } from '../step/program.ts';
import { signatureFor } from '../step/signature.ts';
import type { Engine } from '../step/types.ts';
import { inOrder, padded } from '../train/evaluate.ts';
import type { Fit } from '../train/fit.ts';
import { describeValue, type Fault, fieldsOf } from '../util/fault.ts';
import { unprefixed } from '../util/prefixed.ts';
import { sizeOf } from '../util/shape.ts';
import { adaptedAlike, adaptsNot, adaptTwice } from './errors.ts';
import type { TrainedRun } from './open.ts';

/** Who adapts a run's prediction. */
export interface Adapter {
  plugin: string;
  adaptation: Adaptation;
}

/**
 * The plugin of a run whose prediction can be fitted to images without labels.
 *
 * @throws {TailmixError} ADAPT where none or several do, or where two views of an image would be alike.
 */
export function adapterOf({ options: { plugins = [] }, info, data }: TrainedRun): Adapter {
  const able = (plugins as readonly Plugin[]).filter(({ definition }) => definition.adapt);
  const [found] = able;
  if (!found) throw adaptsNot();
  if (able.length > 1) throw adaptTwice(able.map(({ definition }) => definition.name));
  if (data.augment.length === 0) throw adaptedAlike();
  const { definition, options } = found;
  const { name: plugin } = definition;
  return { plugin, adaptation: declared(plugin, 'adapt', () => definition.adapt!(options, info), adaptationFault) };
}

/**
 * Fits a run's prediction to the images of a subset, and gives an engine that predicts with it. Labels are read nowhere.
 *
 * @param fit - opened with the outputs that the adapter asks for (`StepPlugins.extras`)
 * @throws {TailmixError} what the plugin throws, RETURNED_WRONG.
 */
export async function adaptTo(
  fit: Fit,
  subset: Pick<Subset, 'split' | 'indices'>,
  { plugin, adaptation }: Adapter,
): Promise<Adapted & { fit: Fit }> {
  const origin = { plugin, hook: 'adapt' };
  const views = async (round: number): Promise<TwoViews> => [
    await extrasOf(fit, subset, `${plugin}/adapt-1/${round}`),
    await extrasOf(fit, subset, `${plugin}/adapt-2/${round}`),
  ];
  const random = randomStream(fit.info.seed, plugin, 'adapt');
  const adapted = await Promise.resolve()
    .then(() => adaptation.fit(views, subset.indices.length, random))
    .catch((error: unknown) => {
      throw pluginFailed(origin, error);
    });
  const fault = adaptedFault(adapted);
  if (fault !== null) throw returnedWrong(origin, fault);
  return { ...adapted, fit: { ...fit, engine: predictingWith(fit.engine, adapted, origin) } };
}

const isFunction = (value: unknown): boolean => typeof value === 'function';

function adaptationFault(value: unknown): Fault | null {
  const { extras, fit } = fieldsOf(value) ?? {};
  const isRight = Array.isArray(extras) && extras.every((name) => typeof name === 'string') && isFunction(fit);
  return isRight ? null : { expected: '{ extras: names, fit }', got: describeValue(value) };
}

function adaptedFault(value: unknown): Fault | null {
  const { figures, logits, warnings = [] } = fieldsOf(value) ?? {};
  if (fieldsOf(figures) === null || !isFunction(logits) || !Array.isArray(warnings))
    return { expected: '{ figures, logits, warnings? }', got: describeValue(value) };
  const wrong = Object.entries(figures as object).find(([, figure]) => !Number.isFinite(figure));
  return wrong
    ? { part: `figures[${JSON.stringify(wrong[0])}]`, expected: 'a finite number', got: describeValue(wrong[1]) }
    : null;
}

/** Extras of all images of a subset, augmented by random numbers of a name. */
async function extrasOf(
  { engine, program, loader, info }: Fit,
  { split, indices }: Pick<Subset, 'split' | 'indices'>,
  key: string,
): Promise<ExtraRows> {
  const signature = signatureFor(program, 'predict', {});
  const { shape } = signature.inputs.images!;
  const [rows = 1] = shape;
  const bytes = sizeOf(shape);
  const steps = inOrder(indices, rows).map(
    (step): StepRows => ({ ...step, sources: new Uint8Array(step.indices.length).fill(1) }),
  );
  const all: Record<string, Float32Array> = {};
  let count = 0;
  // As augmented in the last epoch.
  for await (const { images, release } of loader.load(split, steps, info.epochs, true, [{ key, split }])) {
    const size = (images.length * rows) / bytes;
    const outputs = engine.run(signature, { images: rowValues(padded(images, bytes), false) });
    release();
    for (const [name, values] of Object.entries(extrasIn(outputs))) {
      const width = values.length / rows;
      all[name] ??= new Float32Array(indices.length * width);
      all[name].set(values.subarray(0, size * width), count * width);
    }
    count += size;
  }
  return all;
}

const extrasIn = (outputs: HostOutputs): ExtraRows => unprefixed(EXTRA, outputs) as Record<string, Float32Array>;

/** An engine whose predictions are those that were fitted. */
const predictingWith = (engine: Engine, { logits }: Adapted, origin: Origin): Engine =>
  Object.create(engine, {
    run: {
      value: (...given: Parameters<Engine['run']>): HostOutputs => {
        const outputs = engine.run(...given);
        const fitted: unknown = logits(extrasIn(outputs));
        const { length } = outputs.logits!;
        if (!(fitted instanceof Float32Array && fitted.length === length && fitted.every(Number.isFinite)))
          throw returnedWrong(origin, {
            part: 'logits',
            expected: `a Float32Array of ${length} finite numbers`,
            got: describeValue(fitted),
          });
        return { ...outputs, logits: fitted };
      },
    },
    start: { value: undefined },
  }) as Engine;
