/** A URL without credentials, and the header that carries them: `fetch` refuses URLs that hold credentials. */
export function authorized(address: string): { url: string; headers: Record<string, string> } {
  const url = new URL(address);
  const { username, password } = url;
  if (username === '') return { url: url.href, headers: {} };
  url.username = '';
  url.password = '';
  const token = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { url: url.href, headers: { authorization: `Basic ${token}` } };
}

/** The reason inside an error of `fetch`, whose own message says only that it failed. */
export function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError) return networkReason(cause.errors[0]);
  return cause instanceof Error ? cause.message : error.message;
}
