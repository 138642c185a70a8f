import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { displayPath } from '../../errors.ts';
import type { tf } from '../../tf.ts';
import { sizeOf } from '../../util/shape.ts';
import { backboneChanged, backboneFormat, backboneMissing, backboneWeights } from './errors.ts';

/** What TensorFlow.js writes: layers that can be trained, or a frozen graph. */
export type ModelFormat = 'layers-model' | 'graph-model';

/** A model as its files have it. */
export interface ModelFiles {
  artifacts: tf.io.ModelArtifacts;
  /** SHA-256, hex, over `model.json` and the weight files in its order. */
  sha256: string;
}

/**
 * Reads a `model.json` and the weight files that it lists, which lie beside it.
 *
 * @param expected - checksum that the files must have.
 * @throws {TailmixError} BACKBONE_MISSING, BACKBONE_FORMAT, BACKBONE_WEIGHTS, BACKBONE_CHANGED.
 */
export async function readModelFiles(path: string, format: ModelFormat, expected?: string): Promise<ModelFiles> {
  const shown = displayPath(path);
  const text = await readFile(path).catch(() => {
    throw backboneMissing(shown);
  });
  const model = parseModel(text);
  const got = model && formatOf(model);
  if (!model || got !== format) throw backboneFormat(shown, format, got ?? null);
  const { weightsManifest = [], ...rest } = model;
  const files: Buffer[] = [];
  for (const name of weightsManifest.flatMap(({ paths }) => paths)) {
    const file = join(dirname(path), name);
    files.push(
      await readFile(file).catch(() => {
        throw backboneWeights(displayPath(file), 'the weights that model.json lists', 'no such file');
      }),
    );
  }
  const bytes = Uint8Array.from(Buffer.concat(files));
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  const size = weightSpecs.reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (bytes.length < size) throw backboneWeights(shown, `${size} bytes of weights`, `${bytes.length}`);
  const sha256 = files.reduce((hash, file) => hash.update(file), createHash('sha256').update(text)).digest('hex');
  if (expected !== undefined && expected !== sha256) throw backboneChanged(shown, expected, sha256);
  return { artifacts: { ...rest, weightSpecs, weightData: bytes.buffer } as tf.io.ModelArtifacts, sha256 };
}

type ModelJson = Partial<tf.io.ModelJSON> & { modelTopology: object };

function parseModel(text: Buffer): ModelJson | null {
  try {
    const parsed = JSON.parse(text.toString('utf8')) as Partial<ModelJson> | null;
    return typeof parsed?.modelTopology === 'object' && parsed.modelTopology !== null ? (parsed as ModelJson) : null;
  } catch {
    return null;
  }
}

/** As the file says; files of older converters say nothing, but a graph has nodes. */
const formatOf = ({ format, modelTopology }: ModelJson): string =>
  format ?? ('node' in modelTopology ? 'graph-model' : 'layers-model');

const BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 };

/** Length of a weight in the file; that of texts is not known. */
function bytesOf({ shape, dtype, quantization }: tf.io.WeightsManifestEntry): number {
  return sizeOf(shape) * (BYTES[quantization?.dtype ?? dtype] ?? (dtype === 'complex64' ? 8 : 0));
}
