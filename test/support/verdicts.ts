import { expect } from 'vitest';
import { TailmixError } from '../../src/errors.ts';

/** How many inputs a fuzzer tries: the usual number, or that of the variable `TAILMIX_FUZZ`. */
export const fuzzRuns = (usual: number): number => Number(process.env.TAILMIX_FUZZ ?? usual);

/** Counts what came of each input of a fuzzer. */
export interface Verdicts {
  /** Runs one input; what is thrown has to be a message for the user. Gives what was thrown, or null. */
  of(what: string, attempt: () => unknown): Promise<TailmixError | null>;
  /** Inputs that were refused. */
  refused(): number;
  /** Prints the counts, and expects that no prototype has changed. */
  tell(): void;
}

export function countVerdicts(title: string): Verdicts {
  const counts = new Map<string, number>();
  const count = (verdict: string): void => void counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  const before = prototypeKeys();
  return {
    async of(what, attempt) {
      try {
        await attempt();
        count(`${what} taken`);
        return null;
      } catch (error) {
        const isMessage = error instanceof TailmixError && error.code !== 'INTERNAL' && error.message.length > 0;
        if (!isMessage) throw new Error(`${what}: expected a message for the user`, { cause: error });
        count(`${what} ${error.code}`);
        return error;
      }
    },
    refused: () => [...counts].reduce((sum, [verdict, n]) => sum + (verdict.endsWith(' taken') ? 0 : n), 0),
    tell() {
      const list = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([verdict, n]) => `${verdict} ${n}`);
      console.info(`${title}: ${list.join(', ')}`);
      expect(prototypeKeys()).toEqual(before);
    },
  };
}

const prototypeKeys = (): number[] =>
  [Object.prototype, Array.prototype, Function.prototype].map((prototype) => Reflect.ownKeys(prototype).length);

/** Prints how many of the inputs of a fuzzer were refused, and expects that it was a good part of them. */
export function tellRefused(title: string, refused: number, tried: number): void {
  console.info(`${title}: taken ${tried - refused}, refused ${refused}`);
  expect(refused).toBeGreaterThan(tried / 5);
}
