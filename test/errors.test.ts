import { describe, expect, test } from 'vitest';
import { messageOf, stackOf, systemCure, TailmixError, toError } from '../src/errors.ts';
import { thrownThings } from './support/unreadable.ts';

describe('what was thrown is read without throwing', () => {
  test.each(thrownThings)('%s', (_, make, message) => {
    const thrown = make();
    expect(messageOf(thrown)).toContain(message);
    expect(stackOf(thrown)).toBeTypeOf('string');
    expect(systemCure(thrown)).toBe(null);
    const error = toError(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(messageOf(error)).toContain(message);
    expect(`${error.stack} ${error.name} ${error.cause}`).toBeTypeOf('string');
  });
});

test('an error that can be read is taken as it is', () => {
  for (const error of [new TypeError('no'), new TailmixError('no', { code: 'NO' })]) expect(toError(error)).toBe(error);
});
