import {
  forwardRows,
  type Loss,
  type Model,
  type ModelOutputs,
  type NamedTensors,
  type RowGroup,
  rowsOf,
  tf,
  z,
} from 'tailmix';
import { project, projectionWeights } from './projection.ts';

/** Options of a contrastive loss over two views of each image. */
export const viewOptions = z.strictObject({
  weight: z
    .number()
    .min(0)
    .default(0.3)
    .describe('What the contrastive loss counts beside the loss of the classifier.'),
  temperature: z.number().positive().default(0.1).describe('Cosines are divided by it.'),
  hidden: z.int().positive().default(512).describe('Hidden units of the projection.'),
  dimension: z.int().positive().default(128).describe('Length of what is compared.'),
  augment: z
    .array(z.looseObject({ name: z.string().describe('Which transform; its options stand beside it.') }))
    .optional()
    .describe(
      'Transforms of the two views, as in `data.augment`. Default: those of `data.augment`, with other random numbers.',
    ),
});

export type ViewOptions = z.output<typeof viewOptions>;

const VIEWS = ['first', 'second'] as const;

/** One more view of each trained row. */
export const oneView = ({ augment }: Pick<ViewOptions, 'augment'>): RowGroup =>
  ({ view: true, ...(augment && { augment }) }) as RowGroup;

/** Two more views of each trained row. */
export const twoViews = (options: ViewOptions): Record<(typeof VIEWS)[number], RowGroup> => ({
  first: oneView(options),
  second: oneView(options),
});

const CLASSIFIER = 'classifier/kernel';

/** Names under which a plugin keeps what it projects. */
const projected = (plugin: string) => ({ views: `${plugin}/views`, prototypes: `${plugin}/prototypes` });

/**
 * The model with a projection of features and, if asked for, one of the classifier's vectors. In training it runs on
 * both views too, and gives in `extras` the views projected, `[2B, d]`, the first ones first, and the prototypes `[C, d]`.
 */
export function withProjections(
  plugin: string,
  model: Model,
  { hidden, dimension }: ViewOptions,
  { prototypes }: { prototypes: boolean },
): Model {
  const sizes = { features: model.featureSize, hidden, dimension };
  const [head, centre] = [`${plugin}/head`, `${plugin}/centre`];
  const names = VIEWS.map((view) => `${plugin}/${view}`);
  const keys = projected(plugin);
  return {
    ...model,
    weights: [
      ...model.weights,
      ...projectionWeights(head, sizes),
      ...(prototypes ? projectionWeights(centre, sizes) : []),
    ],
    forward(weights: NamedTensors, images, pass) {
      const { outputs, groups } = forwardRows(model.forward, weights, images, pass, names);
      if (!pass.training) return outputs;
      const rows = [outputs.features, ...names.map((name) => groups[name]!.features)];
      const size = rows[0]!.shape[0]!;
      const all = project(head, tf.concat(rows, 0), weights);
      return {
        ...outputs,
        extras: {
          ...outputs.extras,
          [keys.views]: rowsOf(all, size, all.shape[0]! - size),
          ...(prototypes && { [keys.prototypes]: project(centre, weights[CLASSIFIER]!.transpose(), weights) }),
        },
      };
    },
  };
}

/** Both views projected, `[2B, d]`, of a model {@link withProjections} in training. */
export const projectedViews = (plugin: string, { extras }: ModelOutputs): tf.Tensor =>
  extras![projected(plugin).views]!;

/** What a contrastive loss compares: both views `[2B, d]`, their labels `[2B]`, and the prototypes `[C, d]` of a model that has them. */
export interface Contrasted {
  views: tf.Tensor;
  labels: tf.Tensor;
  prototypes: tf.Tensor | undefined;
  /** All of the forward pass. */
  outputs: ModelOutputs;
}

/** The loss with `weight` times a contrastive one, a scalar, in addition. The model is one {@link withProjections}. */
export function withContrast(
  plugin: string,
  loss: Loss,
  weight: number,
  contrastive: (compared: Contrasted) => tf.Tensor,
): Loss {
  const keys = projected(plugin);
  return {
    ...loss,
    penalties: {
      ...loss.penalties,
      [plugin]: (outputs, _, { inputs }) => {
        const labels = tf.concat([inputs.labels!, inputs.labels!], 0);
        const prototypes = outputs.extras![keys.prototypes];
        return contrastive({ views: projectedViews(plugin, outputs), labels, prototypes, outputs }).mul(weight);
      },
    },
  };
}
