import { z } from 'zod';
import type { Evaluation, RunSummary } from '../metrics/types.ts';

const share = z.number().min(0).max(1);
const count = z.int().min(0);

const evaluation = z.object({
  count,
  loss: z.number(),
  accuracy: share,
  balancedAccuracy: share,
  perClass: z.array(share.nullable()),
  many: share.nullable(),
  medium: share.nullable(),
  few: share.nullable(),
  worstClass: z.object({ label: count, name: z.string(), accuracy: share }),
  macroF1: share,
  ece: share,
  reliability: z.array(z.object({ count, confidence: share.nullable(), accuracy: share.nullable() })),
  top5: share.nullable(),
  confusion: z.array(z.tuple([count, count, count.positive()])).nullable(),
  figures: z.record(z.string(), z.number()).exactOptional(),
}) satisfies z.ZodType<Evaluation>;

const pair = { accuracy: share, balancedAccuracy: share };

/** `summary.json`, as it is read back: a file may be damaged, cut off or of another version. */
const runSummary = z
  .object({
    name: z.string(),
    method: z.string(),
    seed: z.number(),
    subsetSeed: z.number(),
    subsetHash: z.string(),
    images: z.object({ train: z.string(), validation: z.string().nullable(), test: z.string() }).exactOptional(),
    otherData: z
      .array(
        z.object({
          by: z.enum(['resume', 'init']),
          data: z.object({ train: z.string(), classes: z.array(z.string()) }),
        }),
      )
      .exactOptional(),
    configHash: z.string(),
    status: z.enum(['finished', 'stopped', 'failed']),
    reason: z.string().nullable(),
    dataset: z.string(),
    classes: z.array(z.string()).min(1),
    classCounts: z.array(count),
    groups: z.object({ manyAbove: z.number(), fewBelow: z.number() }),
    epochs: count,
    last: evaluation.nullable(),
    figures: z.record(z.string(), z.number()).exactOptional(),
    lastEpoch: count,
    bestOnTest: z.object({ epoch: count, ...pair }).nullable(),
    chosenOnValidation: z.object({ epoch: count, ...pair }).exactOptional(),
    lastFiveMedian: z.object(pair).nullable(),
    backend: z.string(),
    stepMode: z.enum(['eager', 'captured']),
    stepModeReason: z.string().nullable(),
    precision: z.enum(['fp32', 'bf16']),
    precisionReason: z.string().nullable(),
    device: z.string().exactOptional(),
    parameters: z.object({ trained: count, all: count }).exactOptional(),
    macs: count.exactOptional(),
    seconds: z.number().min(0),
    tailmix: z.string(),
    versions: z.record(z.string(), z.string()).exactOptional(),
  })
  .superRefine(({ classes, classCounts, last }, context) => {
    const expect = (path: string[], got: number) => {
      if (got === classes.length) return;
      context.addIssue({
        code: 'custom',
        path,
        message: `expected ${classes.length} entries, one per class, got ${got}`,
      });
    };
    expect(['classCounts'], classCounts.length);
    if (!last) return;
    expect(['last', 'perClass'], last.perClass.length);
    const foreign = last.confusion?.find(([label, predicted]) => Math.max(label, predicted) >= classes.length);
    if (!foreign) return;
    context.addIssue({
      code: 'custom',
      path: ['last', 'confusion'],
      message: `expected labels from 0 to ${classes.length - 1}, got ${Math.max(foreign[0], foreign[1])}`,
    });
  }) satisfies z.ZodType<RunSummary>;

/** With what the other files of the run were when it was written. */
export const sealedSummary = runSummary.safeExtend({
  files: z.record(z.string(), z.object({ bytes: count, sha256: z.string() })).exactOptional(),
});

/** What the report takes from a line of `metrics.jsonl`. A figure that is not finite is null in JSON. */
export const epochPoint = z.object({
  epoch: z.int().positive(),
  train: z.object({ loss: z.number().nullable(), accuracy: z.number().nullable() }),
  test: z.object({ accuracy: share, balancedAccuracy: share }).nullable(),
  validation: z.object({ count, balancedAccuracy: share, perClass: z.array(share.nullable()) }).nullish(),
  seconds: z.number(),
  imagesPerSecond: z.number().nullable(),
});

/** An epoch of a run, as far as curves and speed need it. */
export type EpochPoint = z.output<typeof epochPoint>;
