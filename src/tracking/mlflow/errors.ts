import { type ErrorDetails, messageOf, TailmixError } from '../../errors.ts';

/**
 * Why a call failed. `unreachable`: no answer; the call may have been carried out. `busy`: 408, 429 or 5xx. `auth`: 401
 * or 403. `refused`: the server understood, and says no. `foreign`: something answered that is no MLflow. `invalid`: not
 * sent, since the server would have stored something else.
 */
export type Failure = 'unreachable' | 'busy' | 'auth' | 'refused' | 'foreign' | 'invalid';

interface MlflowDetails extends ErrorDetails {
  failure: Failure;
  status?: number;
  errorCode?: string;
}

/** An error of the MLflow client. */
export class MlflowError extends TailmixError {
  readonly failure: Failure;
  /** HTTP status; null without an answer. */
  readonly status: number | null;
  /** MLflow's own code, for example `RESOURCE_DOES_NOT_EXIST`; null where the answer had none. */
  readonly errorCode: string | null;

  constructor(message: string, { failure, status, errorCode, ...details }: MlflowDetails) {
    super(message, details);
    this.failure = failure;
    this.status = status ?? null;
    this.errorCode = errorCode ?? null;
  }

  /** Whether the same call may succeed later. */
  get isPassing(): boolean {
    return this.failure === 'unreachable' || this.failure === 'busy';
  }
}

/** A value that the server would have changed without a word. */
export const invalidValue = (what: string, expected: string, got: unknown): MlflowError =>
  new MlflowError(`${what}: expected ${expected}, got ${display(got)}.`, {
    code: 'MLFLOW_INVALID',
    failure: 'invalid',
  });

const display = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

/** A tracking URI that names no server. */
export const notAServer = (uri: string): MlflowError =>
  new MlflowError(
    `MLflow tracking URI ${JSON.stringify(uri)}: expected http:// or https://, the address of an MLflow server. ` +
      'Stores in files and databases are reached through one: `mlflow server --backend-store-uri …`, or `tailmix mlflow ui`.',
    { code: 'MLFLOW_URI', kind: 'config', failure: 'invalid' },
  );

/** Variables that contradict each other. */
export const settingsClash = (first: string, second: string): MlflowError =>
  new MlflowError(`MLflow: ${first} and ${second} are both set, and contradict each other. Unset one of them.`, {
    code: 'MLFLOW_SETTINGS',
    kind: 'config',
    failure: 'invalid',
  });

/** A file that a variable names and that cannot be read. */
export const settingsFile = (variable: string, path: string, cause: unknown): MlflowError =>
  new MlflowError(`${variable}: expected a file, and ${path} cannot be read (${messageOf(cause)}). Check the path.`, {
    code: 'MLFLOW_SETTINGS',
    kind: 'config',
    failure: 'invalid',
    cause,
  });

const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there. Start the server, or check the port',
  ENOTFOUND: 'the host is unknown. Check the address',
  EAI_AGAIN: 'the host could not be looked up. Check the network',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'its certificate is self-signed. Set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate of its authority',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate is not trusted. Set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate of its authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is not trusted. Set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate of its authority',
  EPROTO: 'it does not speak TLS. Use http:// instead of https://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS. Use http:// instead of https://',
  UND_ERR_HEADERS_TIMEOUT: 'it took the call and did not answer. It is overloaded, or something between holds it up',
  UND_ERR_BODY_TIMEOUT: 'its answer stopped half-way',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about. Check the address, proxies and firewalls',
};

/** No answer. */
export function unreachable(server: string, call: string, cause: unknown): MlflowError {
  const { code, reason } = innermost(cause);
  const advice = (code && ADVICE[code]) ?? reason;
  return new MlflowError(`MLflow at ${server} cannot be reached for ${call}: ${advice}.`, {
    code: 'MLFLOW_UNREACHABLE',
    failure: 'unreachable',
    cause,
  });
}

function innermost(error: unknown): { code: string | undefined; reason: string } {
  const { code, cause, errors } = (error ?? {}) as { code?: string; cause?: unknown; errors?: unknown[] };
  if (code && code in ADVICE) return { code, reason: messageOf(error) };
  if (errors?.length) return innermost(errors[0]);
  return cause === undefined ? { code, reason: messageOf(error) } : innermost(cause);
}

/** An answer other than 2xx. */
export interface Answer {
  status: number;
  contentType: string;
  /** Where it sends to; null for nowhere. */
  location: string | null;
  text: string;
}

const KEPT = 200;

/** Turns an answer into an error that says what to do. */
export function answeredError(
  server: string,
  call: string,
  { status, contentType, location, text }: Answer,
): MlflowError {
  const own = parseError(text);
  const said = own?.message ?? plain(text, contentType);
  const where = `MLflow at ${server}, ${call}: ${status}`;
  const make = (failure: Failure, message: string): MlflowError =>
    new MlflowError(message, {
      code: 'MLFLOW_ANSWER',
      failure,
      status,
      ...(own?.errorCode ? { errorCode: own.errorCode } : {}),
    });
  if (status === 401) {
    return make(
      'auth',
      `${where}, it wants to know who you are. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD ` +
        '(or ~/.mlflow/credentials), or MLFLOW_TRACKING_TOKEN.',
    );
  }
  if (status === 403 && /host header|dns rebinding/i.test(text)) {
    return make(
      'auth',
      `${where}, it does not answer under this host name. Start it with \`--allowed-hosts ${hostOf(server)}\`, ` +
        'or reach it as localhost or by a private address.',
    );
  }
  if (status === 403) return make('auth', `${where}, this user may not do that. ${said}`);
  if (status < 400 && location) {
    return make('foreign', `${where}, it sends to ${location}. Set the tracking URI to where the server is.`);
  }
  if (status === 501 || /artifact serving is disabled/i.test(said)) return make('refused', `${where}, ${said}`);
  if (status === 408 || status === 429 || status >= 500) return make('busy', `${where}, ${said}`);
  if (own) return make('refused', `${where}, ${own.errorCode ?? 'refused'}: ${said}`);
  return make(
    'foreign',
    `${where}, and no JSON: is this an MLflow server? Behind a prefix the address needs it ` +
      `(http://host/prefix). It said: ${said}`,
  );
}

const hostOf = (server: string): string => new URL(server).host;

function parseError(text: string): { errorCode: string | null; message: string } | null {
  try {
    const { error_code, message, detail } = JSON.parse(text) as Record<string, unknown>;
    const said = message ?? detail;
    if (typeof error_code !== 'string' && said === undefined) return null;
    return { errorCode: typeof error_code === 'string' ? error_code : null, message: cut(String(said ?? '')) };
  } catch {
    return null;
  }
}

const plain = (text: string, contentType: string): string =>
  cut(contentType.includes('html') ? text.replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/g, ' ') : text) || 'nothing';

const cut = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, KEPT);

/** An answer that is not the JSON of the call. */
export const oddAnswer = (server: string, call: string, text: string): MlflowError =>
  new MlflowError(
    `MLflow at ${server}, ${call}: expected JSON of MLflow, got ${JSON.stringify(text.slice(0, 80))}. Is this an MLflow server?`,
    { code: 'MLFLOW_ANSWER', failure: 'foreign', status: 200 },
  );

/** An experiment that was deleted keeps its name. */
export const experimentDeleted = (name: string): MlflowError =>
  new MlflowError(
    `MLflow experiment "${name}": it was deleted, and a deleted one keeps its name. Restore it ` +
      '(`mlflow experiments restore -x ID`), or choose another name (MLFLOW_EXPERIMENT_NAME).',
    { code: 'MLFLOW_EXPERIMENT', failure: 'refused' },
  );

/** An artifact location that a client cannot write to. */
export const artifactsElsewhere = (uri: string): MlflowError =>
  new MlflowError(
    `MLflow keeps artifacts of this run in ${uri}, which only a client on the server's side can write. They stay in the ` +
      'run directory. Start the server with `--artifacts-destination` (and not `--default-artifact-root`) to send them.',
    { code: 'MLFLOW_ARTIFACTS', failure: 'refused' },
  );

/** `tailmix mlflow ui` without MLflow. */
export const noMlflow = (): TailmixError =>
  new TailmixError(
    'mlflow ui: expected MLflow, which is a Python program; there is neither `mlflow` in PATH nor a Python that has it.\n' +
      '  Install it:  python3 -m venv ~/mlflow && ~/mlflow/bin/pip install mlflow==3.17.2 && export PATH=~/mlflow/bin:$PATH\n' +
      '  or write the runs for an MLflow elsewhere:  tailmix mlflow export RUN --mlruns DIR',
    { code: 'MLFLOW_MISSING', kind: 'config' },
  );

/** `tailmix mlflow ui --port` of a port that something else has. */
export const portTaken = (port: number): TailmixError =>
  new TailmixError(`mlflow ui: expected to listen on port ${port}, which is in use. Choose another with --port.`, {
    code: 'MLFLOW_UI_PORT',
    kind: 'config',
  });

/** A server of MLflow that ends instead of starting. */
export const serverDidNotStart = (logFile: string, said: string, cause: unknown): TailmixError =>
  new TailmixError(
    `mlflow ui: expected MLflow's server to start; ${messageOf(cause)}${said === '' ? '' : ` (${said})`}. See ${logFile}.`,
    { code: 'MLFLOW_UI_START', cause },
  );
