import { TailmixError } from '../../src/errors.ts';

/**
 * Message of what a call throws, for inline snapshots; `hide` is replaced in it by `…`, so that no path of this machine
 * is in a snapshot.
 *
 * @throws {Error} when nothing is thrown, or it is no TailmixError
 */
export async function messageOfError(call: () => unknown, hide?: string): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof TailmixError)) throw error;
    return hide === undefined ? error.message : error.message.replaceAll(hide, '…');
  }
  throw new Error('expected a TailmixError; nothing was thrown');
}
