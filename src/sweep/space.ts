import type { z } from 'zod';
import type { Range, sweepOptions } from '../config/sweep-schema.ts';
import { type Random, randomStream } from '../random.ts';

/** What a search draws. */
export type Search = NonNullable<z.output<typeof sweepOptions>['search']>;

/** Significant digits of a drawn number: what a label shows is what runs. */
const DIGITS = 3;

/** Draws for one trial before it is given up that all combinations of the choices were drawn. */
const TRIES = 100;

/**
 * Draws trials without repeats: by path the value of each setting. Trial n is the same however many are drawn, unless an
 * earlier one has its values. Fewer than asked for where the space has no more.
 */
export function drawTrials({
  space,
  trials,
  seed,
}: Pick<Search, 'space' | 'trials' | 'seed'>): Record<string, unknown>[] {
  const drawn = new Map<string, Record<string, unknown>>();
  for (let trial = 0; drawn.size < trials && trial < trials * TRIES; trial++) {
    const values = Object.fromEntries(
      Object.entries(space).map(([path, of]) => [path, drawOne(of, randomStream('search', seed, trial, path))]),
    );
    const key = JSON.stringify(values);
    if (!drawn.has(key)) drawn.set(key, values);
  }
  return [...drawn.values()];
}

function drawOne(of: readonly unknown[] | Range, random: Random): unknown {
  if (!isRange(of)) return of[random.integer(of.length)];
  const { min, max, scale, whole } = of;
  if (whole && scale === 'linear') return Math.ceil(min) + random.integer(Math.floor(max) - Math.ceil(min) + 1);
  const share = random.uniform();
  const value = scale === 'log' ? min * (max / min) ** share : min + (max - min) * share;
  const rounded = whole ? Math.round(value) : Number(value.toPrecision(DIGITS));
  return Math.min(max, Math.max(min, rounded));
}

const isRange = (of: readonly unknown[] | Range): of is Range => !Array.isArray(of);
