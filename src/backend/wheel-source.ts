import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pRetry from 'p-retry';
import { download, type OnBytes, type Patience } from '../download/download.ts';
import { networkReason } from '../download/request.ts';
import { TailmixError } from '../errors.ts';
import { noPip, noSuchWheel, pipFailed, wheelNotFound } from './errors.ts';
import type { IndexSettings } from './index-settings.ts';
import { findCommand, lastLines, runCommand } from './run-command.ts';
import { type IndexFile, listPage, listProject } from './simple-index.ts';
import type { Target } from './target.ts';
import { findWheel } from './wheel-layout.ts';

/** Which wheel is wanted, and where it may come from. */
export interface WheelRequest {
  target: Target;
  /** Name of the Python project, for example `tensorflow-cpu`. */
  project: string;
  /** A version, or a specifier of versions such as `<13.0,>=12.5`, of which the newest is taken. */
  version: string;
  /** Folder that downloads go to. */
  folder: string;
  settings: IndexSettings;
  /** Environment whose `PATH` pip is looked for in (default `process.env`). */
  env?: NodeJS.ProcessEnv;
  onBytes?: OnBytes;
  patience?: Patience;
}

/** A wheel on this machine. */
export interface Wheel {
  path: string;
  /** Whether it was downloaded into {@link WheelRequest.folder}, and may be deleted after use. */
  downloaded: boolean;
}

/**
 * Finds and fetches a wheel: from the `find-links` places, then the indexes, then through `pip download`, which knows
 * settings that are not read here (proxies, client certificates, keyrings).
 *
 * @throws {TailmixError} WHEEL_NOT_FOUND, with the reason of each place
 */
export async function obtainWheel(request: WheelRequest): Promise<Wheel> {
  const { project, version, settings } = request;
  const places: [string, () => Promise<Wheel>][] = [
    ...settings.findLinks.map((link): [string, () => Promise<Wheel>] => [link, () => fromLink(link, request)]),
    ...settings.indexes.map((index): [string, () => Promise<Wheel>] => [
      index,
      async () => fromFiles(await patiently(() => listProject(index, project)), request),
    ]),
    ['pip', () => fromPip(request)],
  ];
  const reasons: string[] = [];
  for (const [place, fetchWheel] of places) {
    try {
      return await fetchWheel();
    } catch (error) {
      reasons.push(`${withoutCredentials(place)}: ${networkReason(error)}`);
    }
  }
  throw wheelNotFound(project, version, reasons);
}

async function fromLink(link: string, request: WheelRequest): Promise<Wheel> {
  if (/^https?:/.test(link)) return fromFiles(await patiently(() => listPage(link)), request);
  const path = link.startsWith('file:') ? fileURLToPath(link) : link;
  const isFolder = (await stat(path)).isDirectory();
  const files = isFolder ? (await readdir(path)).map((name) => join(path, name)) : [path];
  const wheel = findWheel(files, (file) => basename(file), request);
  if (wheel === undefined) throw noSuchWheel(request.project, request.version, request.target.label);
  return { path: wheel, downloaded: false };
}

async function fromFiles(files: IndexFile[], request: WheelRequest): Promise<Wheel> {
  const { project, version, target, folder, onBytes, patience } = request;
  const file = findWheel(files, ({ filename }) => filename, request);
  if (file === undefined) throw noSuchWheel(project, version, target.label);
  const path = join(folder, basename(file.filename));
  await download(file, path, onBytes, patience);
  return { path, downloaded: true };
}

async function fromPip({ project, version, target, folder, env }: WheelRequest): Promise<Wheel> {
  const python = await findCommand(['python3', 'python'], env);
  if (python === null) throw noPip();
  const platforms = target.pipPlatforms.map((platform) => `--platform ${platform}`).join(' ');
  const machine = `${platforms} --implementation cp --python-version 3.12 --abi cp312`;
  const patience = '--retries 1 --quiet --disable-pip-version-check --no-cache-dir';
  const options = `--no-deps --only-binary=:all: ${machine} ${patience}`.split(' ');
  const { code, stderr } = await runCommand(
    [
      python,
      '-m',
      'pip',
      'download',
      ...options,
      '--dest',
      folder,
      `${project}${/^\d/.test(version) ? '==' : ''}${version}`,
    ],
    env === undefined ? {} : { env },
  );
  const wheel = findWheel(await readdir(folder).catch(() => []), (name) => name, { project, version, target });
  if (code !== 0 || wheel === undefined) throw pipFailed(lastLines(stderr));
  return { path: join(folder, wheel), downloaded: true };
}

/** Repeats a request that got no answer; an answer that says no is final. */
function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  return pRetry(attempt, {
    retries: 2,
    minTimeout: 500,
    shouldRetry: ({ error }) => !(error instanceof TailmixError),
  });
}

function withoutCredentials(place: string): string {
  return place.replace(/\/\/[^/@]*@/, '//');
}
