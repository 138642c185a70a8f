import { checkedSize, DT, nodeDef, shapeProto, TAG, VERSIONS, type Wire, wire } from '../graph/index.ts';
import { ANY } from './any-batch.ts';
import type { Classifier } from './classifier.ts';
import type { ExportedFile } from './files.ts';
import { type PhotoGeometry, photoGeometry } from './geometry.ts';
import { graphNodes, PORTS, resultsOf } from './graph-nodes.ts';
import { photoNodes } from './photo-nodes.ts';

const { entry, int, message, text, toBytes } = wire;

/** Signature for images as numbers of uint8, which `tf.saved_model.load` and TensorFlow Serving take by default. */
export const UINT8_SIGNATURE = 'serving_default';
/** Signature for images as float32 in 0…255. */
export const FLOAT_SIGNATURE = 'serving_float';
/** Signature for one photo of any size, `[height, width, channels]` uint8. */
const PHOTO_SIGNATURE = 'serving_photo';
/** Signature without inputs that gives the class names, `[C]` strings in label order. */
const NAMES_SIGNATURE = 'classes';

/** A frozen SavedModel: `saved_model.pb`, no variables. */
export function savedModel(classifier: Classifier): ExportedFile[] {
  const { recording, imageShape, classes } = classifier;
  const { nodes: own, cast } = graphNodes(classifier);
  const geometry = photoGeometry(classifier);
  const nodes = geometry ? [...photoNodes(geometry), ...own.filter(({ name }) => name !== PORTS.images)] : own;
  checkedSize(recording.nodes);
  const names = nodeDef({
    name: NAMES_SIGNATURE,
    op: 'Const',
    attributes: {},
    inputs: [],
    value: {
      kind: 'constant',
      outputs: [{ shape: [classes.length], dtype: DT.string }],
      value: classes.map((name) => Buffer.from(name, 'utf8')),
    },
  });
  const images = (tensor: string, dtype: number): Wire => port(1, PORTS.images, tensor, dtype, [ANY, ...imageShape]);
  const photo = ({ shape }: PhotoGeometry): Wire => port(1, PORTS.photo, PORTS.photo, DT.uint8, [ANY, ANY, shape[2]]);
  const results = resultsOf(classifier).map(({ name, length }) => port(2, name, name, DT.float32, [ANY, length]));
  return [
    {
      path: 'saved_model.pb',
      content: toBytes(
        int(1, 1) +
          message(
            2,
            message(1, text(4, TAG)),
            message(2, ...nodes.map(nodeDef), names, VERSIONS),
            signature(UINT8_SIGNATURE, images(PORTS.images, DT.uint8), ...results),
            signature(FLOAT_SIGNATURE, images(cast, DT.float32), ...results),
            ...(geometry ? [signature(PHOTO_SIGNATURE, photo(geometry), ...results)] : []),
            signature(NAMES_SIGNATURE, port(2, 'classes', NAMES_SIGNATURE, DT.string, [classes.length])),
          ),
      ),
    },
  ];
}

/** SignatureDef, an entry of MetaGraphDef's map. */
const signature = (name: string, ...ports: readonly Wire[]): Wire =>
  entry(5, name, ...ports, text(3, 'tensorflow/serving/predict'));

/** TensorInfo, an entry of a signature's inputs (1) or outputs (2). */
const port = (field: 1 | 2, name: string, node: string, dtype: number, shape: readonly number[]): Wire =>
  entry(field, name, text(1, `${node}:0`), int(2, dtype), shapeProto(3, shape));
