import { createReadStream } from 'node:fs';
import { copyFile, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from '#make-folder';
import { artifactsElsewhere } from './errors.ts';
import type { Transport } from './transport.ts';
import type { ArtifactEntry } from './types.ts';
import { checkArtifactPath } from './validate.ts';

/** What an artifact holds: a text, or a file, which is streamed; `onRead` is called as it goes. */
export type ArtifactSource = { text: string } | { file: string; onRead?: () => void };

/** Calls that concern files. */
export interface ArtifactClient {
  /**
   * Sends a file to an artifact location (`artifactUri` of a run or model), over one that is there. Where the server
   * keeps artifacts in a folder of this machine, it is written there.
   *
   * @param path - below the location, parts between `/`.
   */
  uploadArtifact(artifactUri: string, path: string, source: ArtifactSource): Promise<void>;
  /** Bytes of a file, through the server. */
  downloadArtifact(artifactUri: string, path: string): Promise<Buffer>;
  /** What lies directly in a folder of a run; default: at the top. */
  listArtifacts(runId: string, path?: string): Promise<ArtifactEntry[]>;
}

const PROXY = '/api/2.0/mlflow-artifacts/artifacts';

/** Artifact calls over a transport. */
export function artifactClient(transport: Transport): ArtifactClient {
  return {
    async uploadArtifact(artifactUri, path, source) {
      const below = proxied(artifactUri);
      if (below === null) return keepLocally(transport.server, artifactUri, path, source);
      const { length, body } = await opened(source);
      await transport.call({ method: 'PUT', path: url(below, path), body, length });
    },
    downloadArtifact: (artifactUri, path) => {
      const below = proxied(artifactUri);
      if (below === null) throw artifactsElsewhere(artifactUri);
      return transport.download({ method: 'GET', path: url(below, path) });
    },
    async listArtifacts(runId, path) {
      const call = { method: 'GET', path: '/api/2.0/mlflow/artifacts/list', query: { run_id: runId, path } } as const;
      return transport.call(call, ({ files = [] }) =>
        (files as { path: string; is_dir?: boolean; file_size?: number }[]).map(
          ({ path, is_dir = false, file_size }) => ({
            path,
            isDirectory: is_dir,
            size: is_dir ? null : Number(file_size ?? 0),
          }),
        ),
      );
    },
  };
}

/** Path below the server's own artifact store; null when artifacts do not go through the server. */
function proxied(artifactUri: string): string | null {
  const [, path] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/*(.*)$/.exec(artifactUri) ?? [];
  return path === undefined ? null : path.replace(/\/+$/, '');
}

/** `fetch` and URLs resolve `..` before anything is sent, and the server decodes `%` twice: neither gets that far. */
const url = (below: string, path: string): string =>
  [PROXY, ...`${below}/${checkArtifactPath(path)}`.split('/').map(encodeURIComponent)].join('/');

async function opened(source: ArtifactSource) {
  if ('text' in source) return { length: Buffer.byteLength(source.text), body: () => source.text };
  const { size } = await stat(source.file);
  // A file that grows meanwhile is sent as long as it was.
  const body = () => {
    if (size === 0) return '';
    const stream = createReadStream(source.file, { end: size - 1 });
    return source.onRead ? stream.on('data', source.onRead).pause() : stream;
  };
  return { length: size, body };
}

/** A bare path or `file:` is the server's own disk: written only when that is this machine's. */
async function keepLocally(server: string, artifactUri: string, path: string, source: ArtifactSource): Promise<void> {
  const folder = artifactUri.startsWith('file:') ? fileURLToPath(artifactUri) : artifactUri;
  const isHere = /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(new URL(server).hostname);
  if (!isAbsolute(folder) || !isHere) throw artifactsElsewhere(artifactUri);
  const target = join(folder, checkArtifactPath(path));
  await makeFolder(dirname(target));
  if ('text' in source) await writeFile(target, source.text);
  else await copyFile(source.file, target);
}
