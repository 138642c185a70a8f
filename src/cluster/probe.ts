import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { peersMissing } from './errors.ts';
import { type Membership, named } from './membership.ts';

/** `alive`: its server answers; `gone`: nobody listens there; `silent`: no answer in time, as of a stopped process. */
export type Answer = 'alive' | 'gone' | 'silent';

/** Whether a TensorFlow server answers at an address: gRPC is HTTP/2, which begins with the settings of the server. */
export function probe(address: string, milliseconds = 2000): Promise<Answer> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end('silent'), milliseconds);
    session.once('remoteSettings', () => end('alive'));
    session.on('error', () => end('gone'));
  });
}

const EVERY_MS = 300;

/**
 * Waits until the servers of all other processes answer: TensorFlow itself waits for ever for one that never comes.
 *
 * @param seconds - how long at most
 * @param tell - is told for whom, when somebody is missing for more than two seconds, and whenever that changes
 * @throws {TailmixError} CLUSTER_PEERS
 */
export async function waitForPeers(
  { rank, addresses }: Membership,
  { seconds, tell, signal }: { seconds: number; tell: (line: string) => void; signal?: AbortSignal | undefined },
): Promise<void> {
  const start = performance.now();
  let missing = addresses.flatMap((_, peer) => (peer === rank ? [] : [peer]));
  let said = '';
  while (true) {
    const answers = await Promise.all(missing.map((peer) => probe(addresses[peer]!)));
    missing = missing.filter((_, i) => answers[i] !== 'alive');
    if (missing.length === 0) return;
    const waited = (performance.now() - start) / 1000;
    const names = missing.map((peer) => named({ addresses }, peer)).join(', ');
    if (waited > seconds) throw peersMissing(rank, names, seconds);
    signal?.throwIfAborted();
    if (waited > 2 && names !== said) tell(`cluster: rank ${rank} waits for ${names}`);
    if (waited > 2) said = names;
    await delay(EVERY_MS);
  }
}

/** Which other processes do not answer, and how. */
export async function lostPeers({ rank, addresses }: Membership): Promise<{ rank: number; answer: Answer }[]> {
  const answers = await Promise.all(
    addresses.map((address, peer): Promise<Answer> | Answer => (peer === rank ? 'alive' : probe(address))),
  );
  return answers.flatMap((answer, peer) => (answer === 'alive' ? [] : [{ rank: peer, answer }]));
}
