import {
  afterPass,
  isParameter,
  type Model,
  type NamedTensors,
  type Random,
  rowsOf,
  stopGradient,
  tf,
  type Update,
} from 'tailmix';
import { directions, project, projectionWeights } from 'tailmix/plugins/bcl';

export const NAME = 'paco';

/** The second view of the trained rows. */
export const SECOND = 'second';

const HEAD = `${NAME}/head`;
const KEY = `${NAME}/key/`;
const QUEUE = `${NAME}/queue`;
const QUEUE_LABELS = `${NAME}/queue-labels`;

/** What the forward pass gives to the loss, in `extras`. */
export const ANCHORS = `${NAME}/anchors`;
export const CONTRASTS = `${NAME}/contrasts`;
export const CONTRAST_LABELS = `${NAME}/contrast-labels`;
export const LOGITS = `${NAME}/logits`;

/** Of the model that {@link withQueue} makes. */
export interface QueueOptions {
  form: 'paco' | 'gpaco';
  queue: number;
  hidden: number;
  dimension: number;
}

/**
 * The model with a projection, a queue of projected second views with their labels, and for PaCo a momentum encoder that makes
 * them. In training it runs on the second views too, after the trained rows, and gives in `extras` the anchors, what they
 * are compared with (themselves, second views, the queue), its labels, and the logits of the anchors.
 */
export function withQueue(model: Model, { form, queue, hidden, dimension }: QueueOptions): Model {
  const trained = [...model.weights, ...projectionWeights(HEAD, { features: model.featureSize, hidden, dimension })];
  const keys = form === 'paco' ? trained.filter(isParameter) : [];
  return {
    ...model,
    weights: [
      ...trained,
      ...keys.map(({ name, shape }) => ({
        name: KEY + name,
        shape,
        kind: 'state' as const,
        initial: (_: Random, weights?: Readonly<Record<string, Float32Array>>) => weights![name]!,
      })),
      { name: QUEUE, shape: [queue, dimension], kind: 'state', initial: directions(queue, dimension) },
      { name: QUEUE_LABELS, shape: [queue], kind: 'state', initial: () => new Float32Array(queue).fill(-1) },
    ],
    forward(all, images, pass) {
      const outputs = model.forward(all, images, pass);
      if (!pass.training) return outputs;
      const { start, size } = pass.groups![`${NAME}/${SECOND}`]!;
      const encoder: NamedTensors =
        form === 'paco'
          ? { ...all, ...Object.fromEntries(keys.map(({ name }) => [name, all[KEY + name]!])) }
          : afterPass(all, outputs);
      const second = model.forward(encoder, rowsOf(images, start, size), { ...pass, atStage: (_, x) => x });
      const anchors = project(HEAD, outputs.features, all);
      const views = project(HEAD, second.features, encoder);
      const labels = pass.inputs.labels!.cast('float32');
      const isOwn = form === 'gpaco';
      const kept = (newest: tf.Tensor, before: tf.Tensor): tf.Tensor =>
        rowsOf(tf.concat([stopGradient(newest), before], 0), 0, queue);
      return {
        ...outputs,
        statistics: {
          ...outputs.statistics,
          ...(isOwn && second.statistics),
          [QUEUE]: kept(views, all[QUEUE]!),
          [QUEUE_LABELS]: kept(labels, all[QUEUE_LABELS]!),
        },
        extras: {
          ...outputs.extras,
          [ANCHORS]: isOwn ? tf.concat([anchors, views], 0) : anchors,
          [CONTRASTS]: tf.concat([anchors, isOwn ? views : stopGradient(views), all[QUEUE]!], 0),
          [CONTRAST_LABELS]: tf.concat([labels, labels, all[QUEUE_LABELS]!], 0),
          [LOGITS]: isOwn ? tf.concat([outputs.logits, second.logits], 0) : outputs.logits,
        },
      };
    },
  };
}

/** An update after which the momentum encoder, if there is one, follows: k ← m·k + (1 − m)·q (He et al. 2020, eq. 2). */
export const followed = (update: Update, momentum: number): Update => ({
  ...update,
  apply(weights, slots, gradients, pass) {
    const next = update.apply(weights, slots, gradients, pass);
    const now: NamedTensors = { ...weights, ...next.weights };
    const keys = Object.keys(weights)
      .filter((name) => name.startsWith(KEY))
      .map((name) => [name, weights[name]!.mul(momentum).add(now[name.slice(KEY.length)]!.mul(1 - momentum))]);
    return { ...next, weights: { ...next.weights, ...Object.fromEntries(keys) } };
  },
});
