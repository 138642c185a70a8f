import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** Python's public package index (PEP 503), used unless the user's settings name another. */
export const DEFAULT_INDEX = 'https://pypi.org/simple/';

/** Where wheels are looked for, in this order: `findLinks`, then `indexes`. */
export interface IndexSettings {
  /** Folders, wheel files or URLs of pages of links. */
  findLinks: string[];
  /** Base URLs of simple indexes. */
  indexes: string[];
}

/**
 * The user's own package-index settings, read as pip reads them (options `index-url`, `extra-index-url`, `find-links`,
 * `no-index`): environment variables `PIP_…` before configuration files, sections `[download]` and `[install]` before
 * `[global]`. Python is not needed.
 *
 * @param files - configuration files, those read later win; default: those of pip
 */
export function readIndexSettings(
  env: NodeJS.ProcessEnv = process.env,
  files: string[] = pipConfigFiles(env),
): IndexSettings {
  const configured = new Map<string, string>();
  const sections = files.map((file) => parseIni(readOrEmpty(file)));
  for (const wanted of ['global', 'install', 'download']) {
    for (const bySection of sections) {
      for (const [key, value] of bySection.get(wanted) ?? []) configured.set(key, value);
    }
  }
  const option = (name: string): string | undefined =>
    env[`PIP_${name.toUpperCase().replaceAll('-', '_')}`] || configured.get(name);
  const list = (name: string): string[] => option(name)?.split(/\s+/).filter(Boolean) ?? [];
  const noIndex = /^(1|true|yes|on|t|y)$/i.test(option('no-index') ?? '');
  return {
    findLinks: list('find-links'),
    indexes: noIndex ? [] : [option('index-url') ?? DEFAULT_INDEX, ...list('extra-index-url')],
  };
}

/** pip's configuration files on Linux and macOS, weakest first. */
function pipConfigFiles(env: NodeJS.ProcessEnv = process.env): string[] {
  const named = env.PIP_CONFIG_FILE;
  if (named === '/dev/null') return [];
  const system = (env.XDG_CONFIG_DIRS ?? '/etc/xdg').split(':').map((folder) => join(folder, 'pip', 'pip.conf'));
  return [
    ...system,
    '/etc/pip.conf',
    join(homedir(), '.pip', 'pip.conf'),
    join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'pip', 'pip.conf'),
    ...(env.VIRTUAL_ENV ? [join(env.VIRTUAL_ENV, 'pip.conf')] : []),
    ...(named ? [named] : []),
  ];
}

/** Sections of an ini file; keys in pip's dashed spelling, indented lines continue the value above. */
function parseIni(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let key: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const heading = /^\[(.+)\]\s*$/.exec(line)?.[1];
    if (heading !== undefined) {
      section = sections.get(heading) ?? new Map();
      sections.set(heading, section);
      key = null;
    } else if (/^\s/.test(line) && key !== null) {
      section.set(key, `${section.get(key)} ${line.trim()}`.trim());
    } else {
      const [, name = '', value = ''] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(line) ?? [];
      key = name.toLowerCase().replaceAll('_', '-');
      section.set(key, value.trim());
    }
  }
  return sections;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
