import { text } from 'node:stream/consumers';
import type { RemoteFile } from '../download/download.ts';
import { authorized, get, isOk } from '../download/request.ts';
import { indexAnswered } from './errors.ts';

/** A file that a package index offers. */
export interface IndexFile extends RemoteFile {
  filename: string;
}

const ACCEPT = 'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1';

/**
 * Files of one project in a simple index, in JSON (PEP 691) or HTML (PEP 503).
 *
 * @param index - base URL; may hold `user:password@`
 * @throws {TailmixError} INDEX_ANSWERED if the answer is not 200; the error of the network if there is no answer
 */
export async function listProject(index: string, project: string): Promise<IndexFile[]> {
  const normalized = project.toLowerCase().replace(/[-_.]+/g, '-');
  return listPage(`${index.replace(/\/*$/, '/')}${normalized}/`);
}

/** Files that one page of links offers (a project's page, or a `find-links` page). */
export async function listPage(page: string): Promise<IndexFile[]> {
  const { url, headers } = authorized(page);
  const response = await get(url, { ...headers, accept: ACCEPT }, AbortSignal.timeout(60_000));
  const body = await text(response);
  if (!isOk(response)) throw indexAnswered(response.statusCode!);
  const isJson = response.headers['content-type']?.includes('json') ?? false;
  const files = isJson ? fromJson(JSON.parse(body)) : fromHtml(body);
  return files.map((file) => ({ ...file, url: withCredentials(new URL(file.url, response.responseUrl), page) }));
}

/** Files on the index's own host are fetched with the index's credentials. */
function withCredentials(url: URL, page: string): string {
  const { origin, username, password } = new URL(page);
  if (url.origin === origin && url.username === '') {
    url.username = username;
    url.password = password;
  }
  return url.href;
}

interface JsonFile {
  filename: string;
  url: string;
  hashes: Record<string, string>;
  size?: number;
  yanked?: boolean | string;
}

function fromJson(body: unknown): IndexFile[] {
  const { files = [] } = body as { files?: JsonFile[] };
  return files
    .filter(({ yanked }) => !yanked)
    .map(({ filename, url, hashes, size }) => ({ filename, url, hash: strongest(hashes), size: size ?? null }));
}

function fromHtml(html: string): IndexFile[] {
  const files: IndexFile[] = [];
  for (const [tag, quoted] of html.matchAll(/<a\s[^>]*?href\s*=\s*("[^"]*"|'[^']*')[^>]*>/gi)) {
    if (/\sdata-yanked/i.test(tag)) continue;
    const [url = '', fragment = ''] = quoted!.slice(1, -1).replaceAll('&amp;', '&').split('#');
    const [, algorithm, digest] = /^(\w+)=([0-9a-f]+)$/i.exec(fragment) ?? [];
    files.push({
      filename: decodeURIComponent(url.split('?')[0]!.split('/').at(-1)!),
      url,
      hash: algorithm && digest ? strongest({ [algorithm]: digest }) : null,
      size: null,
    });
  }
  return files;
}

/** The strongest checksum that is stated; broken ones (md5, sha1) do not count. */
function strongest(hashes: Record<string, string>): IndexFile['hash'] {
  const algorithm = ['sha512', 'sha384', 'sha256'].find((name) => hashes[name] !== undefined);
  return algorithm === undefined ? null : { algorithm, digest: hashes[algorithm]!.toLowerCase() };
}
