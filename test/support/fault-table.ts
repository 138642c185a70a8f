import { describe, expect, test } from 'vitest';
import type { Plugin } from '../../src/plugin.ts';
import { describeNative } from '../step/captured-support.ts';
import { outcomeOf } from './faulty.ts';

/** What is wrong, a plugin that does it, the hook that is named, what is said after `[faulty] `, and the error's code. */
export type Fault = [title: string, plugin: () => Plugin, hook: string, message: string, code?: string];

/** Throws `boom`. */
export const fail = (): never => {
  throw new Error('boom');
};

const expectFault = async (
  step: 'eager' | 'captured',
  [, plugin, hook, message, code = 'RETURNED_WRONG']: Fault,
): Promise<void> => {
  expect(await outcomeOf([plugin()], step)).toEqual({ code, plugin: 'faulty', hook, message: `[faulty] ${message}` });
};

/** Each fault is reported in whole, in both modes. */
export function describeFaults(what: string, faults: readonly Fault[]): void {
  describe(`${what}, eager`, () => {
    test.each(faults)('%s', async (...given) => expectFault('eager', given));
  });

  describeNative('captured', () => {
    describe(what, () => {
      test.each(faults)('%s', async (...given) => expectFault('captured', given));
    });
  });
}
