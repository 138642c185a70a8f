import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Texts } from 'tailmix/tracking';

const TIMEOUT_MS = 3000;

/**
 * Commit, branch, remote and whether tracked files are changed, of the repository that a folder is in; nothing without one. In as
 * few processes as that takes: each is a copy of this one's page tables, which are large once a network is in memory.
 */
export async function gitTags(folder: string): Promise<Texts> {
  const git = async (...args: string[]): Promise<string> => {
    const options = { cwd: folder, timeout: TIMEOUT_MS, env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' } };
    return (await promisify(execFile)('git', args, options)).stdout.trim();
  };
  try {
    const [status, remote] = await Promise.all([
      git('status', '--porcelain=v2', '--branch', '--untracked-files=no'),
      git('remote', 'get-url', 'origin').catch(() => ''),
    ]);
    const lines = status.split('\n');
    const headerOf = (key: string): string | undefined =>
      lines.find((line) => line.startsWith(`# ${key} `))?.slice(key.length + 3);
    const [commit, branch] = [headerOf('branch.oid'), headerOf('branch.head')];
    if (commit === undefined || commit === '(initial)') return {};
    return {
      'mlflow.source.git.commit': commit,
      ...(branch === undefined || branch === '(detached)' ? {} : { 'mlflow.source.git.branch': branch }),
      'mlflow.source.git.dirty': String(lines.some((line) => !line.startsWith('#'))),
      ...(remote === '' ? {} : { 'mlflow.source.git.repoURL': remote.replace(/\/\/[^/@]*@/, '//') }),
    };
  } catch {
    return {};
  }
}
