import { resolve } from 'node:path';
import { modelSection } from '../models/options.ts';
import type { PublishedWeights } from '../models/published/read.ts';
import type { WeightSpec } from '../models/types.ts';
import type { Snapshot, SnapshotBackbone } from '../run.ts';
import { checksumOf } from '../tracking/weights-checksum.ts';
import { without } from '../util/without.ts';
import { checksumWeights } from '../weights/checksum.ts';
import type { Preparation, TrainerOptions } from './prepare.ts';

/** Weights that a run begins with as a file of published ones has them. */
export interface FromFile {
  /** The file, or the one that a snapshot names. */
  source: PublishedWeights | SnapshotBackbone;
  weights: readonly string[];
}

/** What of a state a file of published weights has; undefined where that is nothing. */
export type BackboneOf = (state: Snapshot['state']) => SnapshotBackbone | undefined;

/**
 * Tells which weights of a run's states its checkpoints leave out: those that no phase trains, as long as they are the file's bit
 * for bit. A run that is resumed has its file from its checkpoint.
 */
export async function backboneOf(
  options: TrainerOptions,
  phases: readonly Pick<Preparation, 'models' | 'start' | 'info' | 'fromFile'>[],
): Promise<BackboneOf> {
  const [{ models, start, info, fromFile }] = phases as [(typeof phases)[0]];
  const { resume } = options;
  const begun = resume?.backbone ? { source: resume.backbone, weights: resume.backbone.weights } : fromFile;
  const stays = ({ name, kind }: WeightSpec): boolean =>
    phases.every((phase) => (kind === 'statistic' ? phase.start.fixed : phase.start.frozen).has(name));
  const candidates = new Set(models.base.weights.filter(stays).map(({ name }) => name));
  const names = begun?.weights.filter((name) => candidates.has(name)) ?? [];
  if (begun === undefined || names.length === 0) return () => undefined;
  const { source } = begun;
  const described = 'path' in source ? source : await describeFile(source, options, info);
  const first = (name: string): Float32Array => (resume ? resume.state[name]!.values : start.initial[name]!);
  let last: SnapshotBackbone | undefined;
  return (state) => {
    const weights = names.filter((name) => isSame(state[name]?.values, first(name)));
    if (weights.length === 0) return undefined;
    if (last?.weights.join() !== weights.join()) last = { ...described, weights, values: checksumOf(state, weights) };
    return last;
  };
}

async function describeFile(
  { name, file, sha256 }: PublishedWeights,
  { model }: TrainerOptions,
  { classes, features, imageShape }: Preparation['info'],
): Promise<Omit<SnapshotBackbone, 'weights' | 'values'>> {
  return {
    name,
    file,
    path: resolve(file),
    sha256: sha256 ?? (await checksumWeights(file)),
    model: without(modelSection.parse(model), 'init', 'reset', 'freeze', 'frozenNorm', 'weights'),
    classes: classes.length,
    imageShape: features?.images.shape ?? imageShape,
  };
}

const bytesOf = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

const isSame = (one: Float32Array | undefined, other: Float32Array): boolean =>
  one !== undefined && bytesOf(one).equals(bytesOf(other));
