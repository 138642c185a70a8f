import { type Attribute, DT, type Endpoint, type GraphNode, opOf } from '../graph/index.ts';
import type { Classifier } from './classifier.ts';

/** Names that users of an exported graph see. */
export const PORTS = {
  images: 'images',
  photo: 'photo',
  logits: 'logits',
  probabilities: 'probabilities',
  features: 'features',
} as const;

/** What an exported graph gives, and how long each is: `[any number, length]`. */
export const resultsOf = ({ recording }: Classifier): { name: string; length: number }[] =>
  [PORTS.logits, PORTS.probabilities, PORTS.features].map((name) => {
    const { node, output } = recording.outputs[name]!;
    return { name, length: recording.nodes[node]!.outputs[output]!.shape[1]! };
  });

/** The classifier as nodes of a TensorFlow graph. */
export interface ClassifierGraph {
  nodes: readonly GraphNode[];
  /** Name of the node that makes float32 of the images. */
  cast: string;
}

/** Names nodes by what they do: `images`, `conv2d_7`, …, `logits`, `probabilities`, `features`. */
export function graphNodes(classifier: Classifier): ClassifierGraph {
  const { nodes, outputs } = classifier.recording;
  const names = nodes.map((node, index) =>
    node.kind === 'input' ? PORTS.images : `${opOf(node).toLowerCase()}_${index}`,
  );
  const edge = ({ node, output }: Endpoint): string => `${names[node]}${output > 0 ? `:${output}` : ''}`;
  const type = (dtype: number): Attribute => ({ kind: 'type', value: dtype });
  const own = nodes.map((node, index): GraphNode => {
    const name = names[index]!;
    const { shape, dtype } = node.outputs[0]!;
    if (node.kind === 'op') return { name, op: node.op, attributes: node.attributes, inputs: node.inputs.map(edge) };
    if (node.kind === 'constant') return { name, op: 'Const', attributes: {}, inputs: [], value: node };
    return {
      name,
      op: 'Placeholder',
      attributes: { dtype: type(dtype), shape: { kind: 'shape', value: shape } },
      inputs: [],
    };
  });
  const results = resultsOf(classifier).map(
    ({ name }): GraphNode => ({
      name,
      op: 'Identity',
      attributes: { T: type(DT.float32) },
      inputs: [edge(outputs[name]!)],
    }),
  );
  const images = nodes.findIndex(({ kind }) => kind === 'input');
  const cast = nodes.findIndex((node) => node.kind === 'op' && node.inputs[0]?.node === images);
  return { nodes: [...own, ...results], cast: names[cast]! };
}
