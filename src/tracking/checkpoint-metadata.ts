import { z } from 'zod';
import type { EpochMetrics, Rollback } from '../metrics/types.ts';
import type { Snapshot, SnapshotBackbone, SnapshotData } from '../run.ts';

/** JSON in a text, as a schema says. Its keys keep their order: a resumed run writes `metrics.jsonl` again, to the byte. */
const json = <T>(schema: z.ZodType<T>) =>
  z.string().transform((text, context): T => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      context.addIssue('expected JSON');
      return z.NEVER;
    }
    for (const { path, message } of schema.safeParse(value).error?.issues ?? [])
      context.addIssue({ code: 'custom', path: [...path], message });
    return value as T;
  });

const count = z.int().min(0);
const size = z.int().positive();
const sha256 = z.string().regex(/^[\da-f]{64}$/);
/** JSON has no NaN and no infinity: they are null. */
const figure = z.number().nullable();

const evaluation = z.looseObject({ accuracy: figure, balancedAccuracy: figure, perClass: z.array(figure) });

const epoch = z.looseObject({
  epoch: z.int().positive(),
  phase: z.string().exactOptional(),
  step: count,
  train: z.looseObject({ loss: figure, accuracy: figure }),
  test: evaluation.nullable(),
  validation: evaluation.nullable(),
});

const identity = z.looseObject({
  dataset: z.string(),
  classes: z.array(z.string()),
  train: z.string(),
  validation: z.string().nullable(),
  test: z.string(),
});

const data = identity.extend({
  otherData: z.array(z.looseObject({ by: z.enum(['resume', 'init']), data: identity })).exactOptional(),
});

const backbone = z.looseObject({
  name: z.string(),
  file: z.string(),
  path: z.string(),
  sha256,
  weights: z.array(z.string()),
  values: sha256,
  model: z.looseObject({}),
  classes: size,
  imageShape: z.tuple([size, size, size]),
});

const rollback = z.looseObject({ epoch: count, to: count, factor: z.number().positive(), reason: z.string() });

/** Files with a checkpoint's earlier epochs. */
export const historyParts = json(z.array(z.object({ bytes: size, sha256 }))).default([]);

/**
 * Metadata of a checkpoint, which its checksum does not vouch for: anybody can compute that. What is used as it is, and what
 * epochs and steps are counted by, is checked.
 */
export const checkpointMetadata = z
  .object({
    epoch: z.coerce.number().int().min(0),
    step: z.coerce.number().int().min(0),
    configHash: z.string(),
    weights: json(z.array(z.string())),
    backbone: json(backbone as z.ZodType<SnapshotBackbone>).exactOptional(),
    plugins: json(z.custom<Snapshot['plugins']>((value) => typeof value === 'object' && value !== null)),
    history: json(z.array(epoch) as z.ZodType<unknown> as z.ZodType<EpochMetrics[]>),
    rollbacks: json(z.array(rollback) as z.ZodType<Rollback[]>).exactOptional(),
    seconds: z.coerce.number().min(0),
    data: json(data as z.ZodType<SnapshotData>).exactOptional(),
    tailmix: z.string().exactOptional(),
    computedBy: json(z.record(z.string(), z.string())).exactOptional(),
  })
  .refine(({ epoch, history }) => (history.at(-1)?.epoch ?? 0) === epoch, { path: ['epoch'] })
  .refine(({ step, history }) => (history.at(-1)?.step ?? 0) === step, { path: ['step'] });
