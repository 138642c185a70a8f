import { type Attribute, type ConstantNode, DT, dtypeName, type GraphNode } from '../graph/index.ts';
import { ANY } from './any-batch.ts';
import type { Classifier } from './classifier.ts';
import { opNotMapped } from './errors.ts';
import type { ExportedFile } from './files.ts';
import { graphNodes, PORTS, resultsOf } from './graph-nodes.ts';
import { splitGroups } from './split-groups.ts';

/** Bytes of one weight file: what browsers cache, and what tfjs's own converter writes. */
const SHARD_BYTES = 4 * 2 ** 20;

/** Names of TensorFlow's types in JSON. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  [DT.float32]: 'DT_FLOAT',
  [DT.int32]: 'DT_INT32',
  [DT.uint8]: 'DT_UINT8',
  [DT.int64]: 'DT_INT64',
  [DT.bool]: 'DT_BOOL',
};

/** A graph model for `tf.loadGraphModel`: `model.json` and weight files. Images may be float32 or int32, 0…255. */
export function tfjsModel(classifier: Classifier): ExportedFile[] {
  const { nodes } = graphNodes({ ...classifier, recording: splitGroups(classifier.recording) });
  const { classes, imageShape, packShape, about } = classifier;
  const constants = nodes.flatMap(({ name, value }) => (value ? [{ name, node: value }] : []));
  const bytes = Buffer.concat(constants.map(({ node }) => node.value as Uint8Array));
  const count = Math.max(1, Math.ceil(bytes.length / SHARD_BYTES));
  const shards = Array.from({ length: count }, (_, i): ExportedFile & { content: Uint8Array } => ({
    path: `group1-shard${i + 1}of${count}.bin`,
    content: bytes.subarray(i * SHARD_BYTES, (i + 1) * SHARD_BYTES),
  }));
  const model = {
    format: 'graph-model',
    generatedBy: `tailmix ${about.tailmix}`,
    convertedBy: null,
    signature: {
      inputs: {
        [PORTS.images]: { name: `${PORTS.images}:0`, dtype: 'DT_FLOAT', tensorShape: shapeOf([ANY, ...imageShape]) },
      },
      outputs: Object.fromEntries(
        resultsOf(classifier).map(({ name, length }) => [
          name,
          { name: `${name}:0`, dtype: 'DT_FLOAT', tensorShape: shapeOf([ANY, length]) },
        ]),
      ),
    },
    modelTopology: { node: nodes.map(nodeOf), library: {}, versions: {} },
    userDefinedMetadata: { ...about, classes, imageShape, packShape },
    weightsManifest: [{ paths: shards.map(({ path }) => path), weights: constants.map(weightOf) }],
  };
  return [{ path: 'model.json', content: JSON.stringify(model) }, ...shards];
}

/** The input says no type, so that tfjs takes float32 and int32 (`tf.browser.fromPixels`) alike. */
function nodeOf({ name, op, inputs, attributes, value }: GraphNode): Record<string, unknown> {
  const { dtype: _, ...own } = attributes;
  const all = value ? { dtype: { kind: 'type', value: value.outputs[0]!.dtype } as const } : attributes;
  const attr = Object.entries(op === 'Placeholder' ? own : all).map(([key, attribute]) => [
    key,
    attributeOf(attribute),
  ]);
  return { name, op, ...(inputs.length > 0 && { input: inputs }), attr: Object.fromEntries(attr) };
}

/** AttrValue, as Protocol Buffers' JSON mapping writes it. */
function attributeOf({ kind, value }: Attribute): Record<string, unknown> {
  switch (kind) {
    case 'string':
      return { s: Buffer.from(value).toString('base64') };
    case 'int':
      return { i: String(value) };
    case 'float':
      return { f: value };
    case 'bool':
      return { b: value };
    case 'type':
      return { type: TYPE_NAMES[value] ?? 'DT_INVALID' };
    case 'shape':
      return { shape: shapeOf(value) };
    case 'ints':
      return { list: { i: value.map(String) } };
    case 'floats':
      return { list: { f: value } };
    case 'bools':
      return { list: { b: value } };
    case 'types':
      return { list: { type: value.map((dtype) => TYPE_NAMES[dtype] ?? 'DT_INVALID') } };
  }
}

const shapeOf = (lengths: readonly number[]) => ({ dim: lengths.map((length) => ({ size: String(length) })) });

/** An entry of the weights manifest. */
function weightOf({ name, node }: { name: string; node: ConstantNode }): {
  name: string;
  shape: number[];
  dtype: string;
} {
  const { shape, dtype } = node.outputs[0]!;
  if (![DT.float32, DT.int32, DT.bool].some((known) => known === dtype)) {
    throw opNotMapped('tfjs', 'a constant', ` of ${dtypeName(dtype)}`, node.owner);
  }
  return { name, shape: [...shape], dtype: dtypeName(dtype) };
}
