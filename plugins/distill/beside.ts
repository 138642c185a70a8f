import {
  createModel,
  type InitialContext,
  type Model,
  type ModelOptions,
  type NetworkFacts,
  type PreparedNetwork,
  type RunInfo,
  type Task,
  tf,
} from 'tailmix';
import { weightsLacking } from './errors.ts';

const taskOf = ({ classes, imageShape }: RunInfo): Task => ({ classes: classes.length, imageShape });
const networkOf = ({ model }: NetworkFacts, task: Task): Model => createModel(model as ModelOptions, task);

/** Another trained network that a plugin keeps beside the run's, as state under the plugin's name. */
export interface NetworkBeside {
  /** Its weights as state, `<plugin>/…`: they are saved with the run, and never trained. For `extendModel`. */
  asState(prepared: NetworkFacts, task: Task): Model['weights'];
  /**
   * Their values, by their names in the run. For `initialWeights`.
   *
   * @throws {TailmixError} NETWORK_LACKING
   */
  values(context: InitialContext<PreparedNetwork>): Promise<Record<string, Float32Array>>;
  /**
   * The network; its forward pass takes the run's weights and images that the run normalised, as if in prediction. For `apply`.
   */
  model(prepared: NetworkFacts, info: RunInfo): Model;
}

/**
 * What the plugins that keep another trained network share.
 *
 * @param plugin - name of the plugin that keeps it
 */
export function networkBeside(plugin: string): NetworkBeside {
  const own = (weight: string): string => `${plugin}/${weight}`;
  return {
    asState: (prepared, task) =>
      networkOf(prepared, task).weights.map(({ stage: _, ...weight }) => ({
        ...weight,
        name: own(weight.name),
        kind: 'state',
      })),
    async values({ info, prepared }) {
      const network = networkOf(prepared, taskOf(info));
      const values = await prepared.weights(network);
      const lacking = network.weights.filter((weight) => !(weight.name in values)).map((weight) => weight.name);
      // A classifier of random numbers would do as well as another, and nothing would look wrong.
      if (lacking.length > 0) throw weightsLacking(plugin, lacking, info.classes.length);
      return Object.fromEntries(Object.entries(values).map(([weight, array]) => [own(weight), array]));
    },
    model(prepared, info) {
      const network = networkOf(prepared, taskOf(info));
      const renormalise = renormaliser(info, { mean: prepared.mean ?? info.mean, std: prepared.std ?? info.std });
      return {
        ...network,
        forward(weights, images, pass) {
          const { at: _, fixed: __, across: ___, from: ____, ...plain } = pass;
          const values = Object.fromEntries(network.weights.map(({ name }) => [name, weights[own(name)]!]));
          return network.forward(values, renormalise(images), { ...plain, training: false });
        },
      };
    },
  };
}

interface Norm {
  mean: readonly number[];
  std: readonly number[];
}

/** `(x·σ + μ − μ') / σ'`, channel by channel; nothing where both are alike. */
function renormaliser(from: Norm, to: Norm): (images: tf.Tensor) => tf.Tensor {
  const scale = from.std.map((deviation, c) => deviation / to.std[c]!);
  const shift = from.mean.map((mean, c) => (mean - to.mean[c]!) / to.std[c]!);
  if (scale.every((one) => one === 1) && shift.every((one) => one === 0)) return (images) => images;
  return (images) => images.mul(tf.tensor1d(scale)).add(tf.tensor1d(shift));
}
