import { emitWarning } from 'node:process';
import { tf } from '../tf.ts';

/** So many calls in a row have to leave tensors behind: what fills a cache comes to an end, a leak does not. */
const CALLS = 10;

/** Tensors alive in tfjs. */
export const liveTensors = (): number => tf.engine().state.numTensors;

/** Told how many more tensors live after each call of one function; true, once, when it leaks. */
export function createLeakWatch(): (left: number) => boolean {
  let row = 0;
  return (left) => {
    if (row < CALLS) row = left > 0 ? row + 1 : 0;
    else return false;
    return row === CALLS;
  };
}

/** Warns of a leak, as Node.js does of others: on standard error, once, with the code `PLUGIN_LEAKS`. */
export function warnOfLeak(plugin: string | undefined, place: string, left: number): void {
  const whose = plugin === undefined ? '' : `[${plugin}] `;
  emitWarning(
    `${whose}${place}: expected no tensor to stay after a call; each of the last ${CALLS} left some, the last one ${left}. ` +
      'Dispose of them, or make them inside tf.tidy(), or the run ends when memory does.',
    { type: 'TailmixWarning', code: 'PLUGIN_LEAKS' },
  );
}
