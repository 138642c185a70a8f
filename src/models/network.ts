import { globalAverage } from '../backend/kernels/index.ts';
import { type ClassifierOptions, classifier } from './heads.ts';
import { type Layer, sequence, startFlow } from './layers.ts';
import { ofStage, type Parts, throughStages } from './stages.ts';
import type { Model } from './types.ts';

/** What {@link network} puts together. */
export interface NetworkOptions {
  name: string;
  /** The network up to its features; one named stage ends with each. */
  stages: readonly Layer[];
  /** Channels of the last stage: with global average pooling the length of the feature vector. */
  channels: number;
  /** Between the average and the classifier. Default: nothing. */
  last?: Layer;
  head: Omit<ClassifierOptions, 'inputs' | 'classes'>;
  classes: number;
}

const stageName = (index: number): string => `stage${index + 1}`;

/** Blocks one after another under `<name>/block<i>`; the first has the stride. */
export const blocks = (
  name: string,
  count: number,
  block: (name: string, position: { first: boolean }) => Layer,
): Layer => sequence(...Array.from({ length: count }, (_, i) => block(`${name}/block${i + 1}`, { first: i === 0 })));

/**
 * A convolutional network: stages, global average pooling, classifier.
 * Features can be mixed at `input`, after each stage (`stage1`, …), and at `pool`, the features themselves.
 */
export function network({ name, stages, channels, last, head: headOptions, classes }: NetworkOptions): Model {
  const head = classifier({ ...headOptions, inputs: channels, classes });
  return {
    name,
    weights: [
      ...stages.flatMap(({ weights }, i) => ofStage(stageName(i), weights)),
      ...ofStage('pool', last?.weights ?? []),
      ...head.weights,
    ],
    seams: [...stages, ...(last ? [last] : [])].flatMap(({ seams = [] }) => seams),
    stages: ['input', ...stages.map((_, i) => stageName(i)), 'pool'],
    featureSize: channels,
    head: head.kind,
    forward(weights, images, pass) {
      const flow = startFlow(weights, pass);
      const features = throughStages(pass, images, [
        ...stages.map((stage, i): Parts[number] => [stageName(i), (x) => stage.apply(x, flow)]),
        ['pool', (x) => (last ? last.apply(globalAverage(x), flow) : globalAverage(x))],
      ]);
      return { logits: head.apply(features, weights), features, statistics: flow.statistics };
    },
  };
}
