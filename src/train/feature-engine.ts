import type { Backend } from '../backend/load.ts';
import { createLoader, type LoaderOptions } from '../data/loader/loader.ts';
import type { Subset } from '../data/types.ts';
import { createHooks } from '../hooks.ts';
import type { Forward, Model } from '../models/types.ts';
import { createEngine } from '../step/index.ts';
import type { StepOptions } from '../step/options.ts';
import { createStepProgram, type ProgramOptions } from '../step/program.ts';
import { signatureFor } from '../step/signature.ts';
import type { Update } from '../step/types.ts';
import { logitsOf } from './evaluate.ts';

/** What a network computes features with. */
export interface FeatureEngineOptions {
  program: Omit<ProgramOptions, 'optimizer' | 'batchSizes'>;
  loader: LoaderOptions;
  backend: Backend;
  train: FeatureStep;
}

type FeatureStep = Pick<StepOptions, 'step' | 'precision' | 'device' | 'matmul'>;

/** Recordings hold a run's steps alone: without TensorFlow, the processor computes what precedes them. */
export const beforeSteps = <Step extends FeatureStep>(step: Step, recordings: unknown, { binding }: Backend): Step =>
  recordings && binding === undefined ? { ...step, device: 'cpu' } : step;

/** Features of images; the arrays are valid until the next rows are asked for. */
export interface ComputedFeatures {
  /** `[rows × D]`. */
  features: Float32Array;
  /** `[rows]`. */
  labels: Int32Array;
  /** `[rows]`, of the split. */
  indices: Int32Array;
}

/** A network that is ready to compute what it gives the classifier. */
export interface FeatureEngine {
  /** Features of a subset, in its order, without augmentation. */
  featuresOf(subset: Pick<Subset, 'split' | 'indices'>): AsyncGenerator<ComputedFeatures, void, undefined>;
  close(): Promise<void>;
}

/** Of a program that trains nothing. */
const NO_UPDATE: Update = { slots: () => [], apply: () => ({ weights: {}, slots: {} }) };

/** Opens a network for its features. The backend must be loaded. */
export async function openFeatureEngine(
  model: Model,
  { program: options, loader: loading, backend, train: { step, precision, device, matmul } }: FeatureEngineOptions,
): Promise<FeatureEngine> {
  // Features in the place of logits, which is all that is read.
  const forward: Forward = (...given) => {
    const outputs = model.forward(...given);
    return { ...outputs, logits: outputs.features };
  };
  const plugins = { hooks: createHooks(), inputs: {}, variants: {}, groups: {} };
  const program = createStepProgram({ ...model, forward }, plugins, {
    ...options,
    batchSizes: [],
    optimizer: NO_UPDATE,
  });
  const engine = await createEngine(program, backend, { step, precision, device, matmul });
  const loader = createLoader(loading);
  const signature = signatureFor(program, 'predict', {});
  return {
    async *featuresOf(subset) {
      for await (const { logits, ...rows } of logitsOf(engine, signature, loader, subset, model.featureSize))
        yield { features: logits, ...rows };
    },
    async close() {
      await loader.close();
      engine.dispose();
    },
  };
}
