import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import follow, { type FollowResponse } from 'follow-redirects';

/** An answer whose body is still to be read; `responseUrl` is where redirects ended. */
export type Answer = IncomingMessage & FollowResponse;

/**
 * Asks for a file and follows redirects; credentials go to no other host.
 *
 * Not `fetch`: where a server closes the connection while the body waits to be written to disk, undici's parser ends the process with
 * an assertion that nobody can catch (nodejs/undici#5360), in Node 20's `fetch` too.
 */
export async function get(url: string, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<Answer> {
  const { get: ask } = url.startsWith('https:') ? follow.https : follow.http;
  const all = { 'user-agent': 'tailmix', accept: '*/*', ...headers };
  return new Promise((resolve, reject) => {
    ask(url, { headers: all, signal }, resolve).on('error', reject);
  });
}

/** Whether the answer is what was asked for. */
export const isOk = ({ statusCode = 0 }: Answer): boolean => statusCode >= 200 && statusCode < 300;

/** A URL without credentials, which belong into no message, and the header that carries them. */
export function authorized(address: string): { url: string; headers: Record<string, string> } {
  const url = new URL(address);
  const { username, password } = url;
  if (username === '') return { url: url.href, headers: {} };
  url.username = '';
  url.password = '';
  const token = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { url: url.href, headers: { authorization: `Basic ${token}` } };
}

/** The reason inside a network error: several addresses of a host fail with several. */
export function networkReason(error: unknown): string {
  if (error instanceof AggregateError) return networkReason(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  const isClosed = error.message === 'aborted' || error.message === 'socket hang up';
  return isClosed ? 'the server closed the connection' : error.message;
}
