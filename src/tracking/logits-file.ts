import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { displayPath } from '../errors.ts';
import type { LogitPrior } from '../metrics/further.ts';
import type { KeptLogits } from '../metrics/logits.ts';
import { logitsDamaged, logitsMissing } from './errors.ts';
import { logitsFile } from './run-files.ts';
import { decodeArrays, encodeSafetensors } from './safetensors.ts';
import { sealOf } from './seal.ts';

/** What a file of logits says beside them. */
export interface LogitsAbout {
  /** Counts over all phases. */
  epoch: number;
  /** By which class shares they are log-posteriors. */
  prior: LogitPrior;
  /** Of the images of the split, as `subset.json` has it. */
  images: string;
}

/**
 * Kept logits as a safetensors file, in parts: `below` F16 `[N, C]`, `highest` F32 `[N]`, `labels` and `indices` I32 `[N]`. A logit
 * is the sum of the first two.
 */
export function encodeLogits({ below, highest, labels, indices }: KeptLogits, about: LogitsAbout): Uint8Array[] {
  const N = labels.length;
  return encodeSafetensors({
    tensors: {
      below: { shape: [N, below.length / N], values: below },
      highest: { shape: [N], values: highest },
      labels: { shape: [N], values: labels },
      indices: { shape: [N], values: indices },
    },
    metadata: { epoch: String(about.epoch), prior: about.prior, images: about.images },
  });
}

const metadata = z.object({
  epoch: z.coerce.number().int().positive(),
  prior: z.enum(['training', 'uniform']),
  images: z.string(),
});

/**
 * Reads the logits of a run's last evaluation of a split.
 *
 * @param classes - C
 * @param seal - SHA-256 of the file as `summary.json` has it; nothing where it has none
 * @throws {TailmixError} RUN_LOGITS where there are none, RUN_LOGITS_DAMAGED
 */
export async function readLogits(
  runDirectory: string,
  split: 'validation' | 'test',
  classes: number,
  seal?: string,
): Promise<{ logits: KeptLogits; about: LogitsAbout }> {
  const path = join(runDirectory, logitsFile(split));
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw logitsMissing(displayPath(path), cause);
  });
  const fail = (found: string): Error => logitsDamaged(displayPath(path), found);
  if (seal !== undefined && sealOf([bytes]).sha256 !== seal) throw fail('its content has changed');
  const decoded = decodeArrays(bytes, ['F16', 'F32', 'I32'], fail);
  const { below, highest, labels, indices } = decoded.tensors;
  const about = metadata.safeParse(decoded.metadata);
  const N = labels?.values.length ?? 0;
  if (
    !(below?.values instanceof Uint16Array) ||
    !(highest?.values instanceof Float32Array) ||
    !(labels?.values instanceof Int32Array) ||
    !(indices?.values instanceof Int32Array) ||
    !about.success ||
    N === 0 ||
    below.values.length !== N * classes ||
    highest.values.length !== N ||
    indices.values.length !== N ||
    labels.values.some((label) => !(label >= 0 && label < classes))
  )
    throw fail(`its arrays are not below [N, ${classes}], highest [N], labels [N] and indices [N]`);
  const logits = { below: below.values, highest: highest.values, labels: labels.values, indices: indices.values };
  return { logits, about: about.data };
}
