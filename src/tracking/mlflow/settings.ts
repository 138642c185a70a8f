import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { notAServer, settingsClash, settingsFile } from './errors.ts';

/** Who calls. */
export type Authentication =
  | { kind: 'basic'; username: string; password: string }
  | { kind: 'bearer'; token: string }
  | null;

/** Everything a client needs to know; plain data, so that a thread can be given it. */
export interface MlflowSettings {
  /** Without credentials and without a slash at its end; a prefix (`--static-prefix`) stays. */
  server: string;
  authentication: Authentication;
  /** Name of a workspace; null for none. */
  workspace: string | null;
  tls: {
    /** Takes any certificate. */
    insecure: boolean;
    /** PEM of the authority, and of the client's certificate and key; null for the system's own, and for none. */
    authority: string | null;
    client: string | null;
  };
  /** Milliseconds that a call may wait for its answer. */
  timeout: number;
  /** How often the client repeats a call that fails in passing. */
  retries: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_TIMEOUT_S = 30;
const DEFAULT_RETRIES = 3;
const MOST_RETRIES = 10;

/** Whether a tracking URI names a server; `sqlite:///…`, `file:…`, `databricks` and paths do not. */
export const isServer = (uri: string): boolean => /^https?:\/\//i.test(uri);

/**
 * Settings of a client from the variables that MLflow's own client reads: `MLFLOW_TRACKING_URI`, `…_USERNAME`,
 * `…_PASSWORD`, `…_TOKEN`, `…_INSECURE_TLS`, `…_SERVER_CERT_PATH`, `…_CLIENT_CERT_PATH`, `MLFLOW_WORKSPACE`,
 * `MLFLOW_HTTP_REQUEST_TIMEOUT` (seconds, default 30), `MLFLOW_HTTP_REQUEST_MAX_RETRIES` (default 3), and
 * `~/.mlflow/credentials`. User and password in the environment go before those in the address, those before the file,
 * and all of them before a token.
 *
 * @param uri - address of the server.
 * @throws {MlflowError} MLFLOW_URI, MLFLOW_SETTINGS.
 */
export function resolveSettings(uri: string, env: Environment = process.env, home: string = homedir()): MlflowSettings {
  if (!isServer(uri) || !URL.canParse(uri)) throw notAServer(withoutUserInfo(uri));
  const url = new URL(uri);
  const insecure = isTrue(env.MLFLOW_TRACKING_INSECURE_TLS);
  if (insecure && env.MLFLOW_TRACKING_SERVER_CERT_PATH) {
    throw settingsClash('MLFLOW_TRACKING_INSECURE_TLS', 'MLFLOW_TRACKING_SERVER_CERT_PATH');
  }
  return {
    server: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    authentication: authenticationOf(url, env, home),
    workspace: env.MLFLOW_WORKSPACE || null,
    tls: {
      insecure,
      authority: fileOf('MLFLOW_TRACKING_SERVER_CERT_PATH', env),
      client: fileOf('MLFLOW_TRACKING_CLIENT_CERT_PATH', env),
    },
    timeout: 1000 * numberOf(env.MLFLOW_HTTP_REQUEST_TIMEOUT, DEFAULT_TIMEOUT_S),
    retries: Math.min(MOST_RETRIES, Math.trunc(numberOf(env.MLFLOW_HTTP_REQUEST_MAX_RETRIES, DEFAULT_RETRIES))),
  };
}

const isTrue = (text: string | undefined): boolean => /^(true|1)$/i.test(text ?? '');

/** A part of an address as it was meant; as it stands where its `%` stands for nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const withoutUserInfo = (uri: string): string => uri.replace(/\/\/[^/@]*@/, '//');

function numberOf(text: string | undefined, otherwise: number): number {
  const value = Number(text || Number.NaN);
  return value >= 0 && Number.isFinite(value) ? value : otherwise;
}

function fileOf(variable: string, env: Environment): string | null {
  const path = env[variable];
  if (!path) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw settingsFile(variable, path, cause);
  }
}

function authenticationOf(url: URL, env: Environment, home: string): Authentication {
  const file = credentialsFile(join(home, '.mlflow', 'credentials'));
  const username = env.MLFLOW_TRACKING_USERNAME || decoded(url.username) || file.mlflow_tracking_username;
  const password = env.MLFLOW_TRACKING_PASSWORD || decoded(url.password) || file.mlflow_tracking_password;
  if (username && password) return { kind: 'basic', username, password };
  const token = env.MLFLOW_TRACKING_TOKEN;
  return token ? { kind: 'bearer', token } : null;
}

/** Section `[mlflow]` of an ini file; nothing when there is no such file. */
function credentialsFile(path: string): Record<string, string> {
  if (!existsSync(path)) return {};
  const found: Record<string, string> = {};
  let section = '';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw settingsFile('MLflow credentials', path, cause);
  }
  for (const line of text.split(/\r?\n/)) {
    const [, named] = /^\s*\[([^\]]+)\]/.exec(line) ?? [];
    if (named !== undefined) section = named.trim();
    const [, key, value] = /^\s*(\w+)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (section === 'mlflow' && key !== undefined) found[key.toLowerCase()] = value!;
  }
  return found;
}
