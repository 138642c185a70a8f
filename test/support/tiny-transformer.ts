import { classifier } from '../../src/models/heads.ts';
import { layerNorm, startFlow } from '../../src/models/layers.ts';
import { ofStage, throughStages } from '../../src/models/stages.ts';
import { transformerBlock } from '../../src/models/transformer.ts';
import type { Model } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { tinyModel } from './squares.ts';

const WIDTH = 8;

/** A block of attention over the rows of an 8×8 image and a mean over them: the smallest model with tokens. */
function tinyTransformer(classes = 4): Model {
  const block = transformerBlock('block1', {
    width: WIDTH,
    heads: 2,
    activation: 'quick-gelu',
    epsilon: 1e-6,
    layerScale: false,
  });
  const norm = layerNorm('norm', WIDTH);
  const head = classifier({ inputs: WIDTH, classes, head: 'linear', bias: true, scale: 1 });
  return {
    name: 'tiny-transformer',
    stages: ['input', 'stage1'],
    seams: [block, norm].flatMap(({ seams = [] }) => seams),
    featureSize: WIDTH,
    weights: [...ofStage('stage1', [...block.weights, ...norm.weights]), ...head.weights],
    forward(weights, images, pass) {
      const flow = startFlow(weights, pass);
      const features = throughStages(pass, images, [
        ['stage1', (x) => norm.apply(block.apply(x.mean(3).reshape([-1, 8, WIDTH]), flow).mean(1), flow)],
      ]);
      return { logits: head.apply(features, weights), features, statistics: {} };
    },
  };
}

/** The tiny model, or one of tokens where a plugin fine-tunes a network that has some. */
export const modelFor = (plugins: readonly Plugin[]): Model =>
  plugins.some(({ definition }) => definition.trains) ? tinyTransformer() : tinyModel();
