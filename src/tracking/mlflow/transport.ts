import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import pRetry from 'p-retry';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { answeredError, MlflowError, oddAnswer, unreachable } from './errors.ts';
import type { Authentication, MlflowSettings } from './settings.ts';

type Query = Readonly<Record<string, string | number | undefined>>;

/** One call. */
export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the server's address, with its leading slash. */
  path: string;
  query?: Query;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is; made anew for each try. */
  body?: () => Uint8Array | string | Readable;
  /** Bytes of `body`. */
  length?: number;
  /** False where a second call could make a second thing: repeated only when the server said that it did nothing. */
  repeatable?: boolean;
  /** Tries beyond the first; default: those of the settings. */
  retries?: number;
  /** Milliseconds; default: those of the settings. */
  timeout?: number;
}

/** A JSON object. */
export type Answer = Record<string, unknown>;

/** Calls to one server, over one connection. */
export interface Transport {
  readonly server: string;
  /** The answer's JSON, as `read` takes it: what that cannot read is told as no answer of MLflow's. Default: as it is. */
  call(call: Call): Promise<Answer>;
  call<T>(call: Call, read: (answer: Answer) => T): Promise<T>;
  /** The answer's bytes. */
  download(call: Call): Promise<Buffer>;
  /** Ends calls under way, too. */
  close(): Promise<void>;
}

/** The server closes idle connections after 5 s; ours are given up before, so that no call meets a closed one. */
const IDLE_MS = 4000;
const CONNECT_MS = 10_000;

/**
 * Opens the way to a server. Proxies are those of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`; this machine itself is
 * never reached through one.
 */
export function openTransport(settings: MlflowSettings): Transport {
  const { server, timeout, retries, workspace, authentication } = settings;
  const dispatcher = dispatcherOf(settings);
  let closed = false;
  const headers = {
    'user-agent': 'tailmix',
    ...authorization(authentication),
    ...(workspace === null ? {} : { 'x-mlflow-workspace': workspace }),
  };

  async function send(call: Call): Promise<Buffer> {
    const { method, path, query = {}, json, body, length } = call;
    const url = new URL(`${server}${path}`);
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value));
    const name = `${method} ${path}`;
    // After a while of work on this thread, whose end the server did not await, its connection is seen to be closed.
    await setImmediate();
    let status: number;
    let answerHeaders: IncomingHttpHeaders;
    let bytes: Buffer;
    try {
      const answer = await request(url, {
        dispatcher,
        method,
        headers: {
          ...headers,
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(length === undefined ? {} : { 'content-length': String(length) }),
        },
        body: json === undefined ? (body?.() ?? null) : JSON.stringify(json),
        headersTimeout: call.timeout ?? timeout,
        bodyTimeout: call.timeout ?? timeout,
      });
      status = answer.statusCode;
      answerHeaders = answer.headers;
      bytes = Buffer.from(await answer.body.arrayBuffer());
    } catch (cause) {
      throw unreachable(server, name, cause);
    }
    if (status < 200 || status >= 300) {
      throw answeredError(server, name, {
        status,
        contentType: String(answerHeaders['content-type'] ?? ''),
        location: answerHeaders.location === undefined ? null : String(answerHeaders.location),
        text: bytes.toString('utf8'),
      });
    }
    return bytes;
  }

  const download = (call: Call): Promise<Buffer> => {
    const repeatable = call.repeatable ?? true;
    return pRetry(() => send(call), {
      retries: call.retries ?? retries,
      minTimeout: 500,
      maxTimeout: 30_000,
      randomize: true,
      shouldRetry: ({ error }) =>
        !closed &&
        error instanceof MlflowError &&
        (repeatable ? error.isPassing : error.status === 408 || error.status === 429),
    });
  };

  return {
    server,
    download,
    async call<T>(call: Call, read: (answer: Answer) => T | Answer = (answer) => answer) {
      const text = (await download(call)).toString('utf8');
      // An upload may be answered with nothing.
      try {
        return read(text === '' && call.body !== undefined ? {} : parse(text)) as T & Answer;
      } catch {
        throw oddAnswer(server, `${call.method} ${call.path}`, text);
      }
    },
    close() {
      closed = true;
      return dispatcher.destroy();
    },
  };
}

function parse(text: string): Answer {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no JSON object');
  return value as Answer;
}

function dispatcherOf({ server, tls }: MlflowSettings): Dispatcher {
  const options = {
    connections: 1,
    keepAliveTimeout: IDLE_MS,
    connect: {
      timeout: CONNECT_MS,
      rejectUnauthorized: !tls.insecure,
      ...(tls.authority === null ? {} : { ca: tls.authority }),
      ...(tls.client === null ? {} : { cert: tls.client, key: tls.client }),
    },
  };
  const { hostname } = new URL(server);
  const isHere = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return isHere
    ? new Agent(options)
    : new EnvHttpProxyAgent({ ...options, requestTls: options.connect, proxyTunnel: false });
}

function authorization(authentication: Authentication): Record<string, string> {
  if (authentication === null) return {};
  if (authentication.kind === 'bearer') return { authorization: `Bearer ${authentication.token}` };
  const { username, password } = authentication;
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}
