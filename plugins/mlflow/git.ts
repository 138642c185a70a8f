import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Texts } from 'tailmix/tracking';

const TIMEOUT_MS = 3000;

/** Commit, branch, remote and whether tracked files are changed, of the repository that a folder is in; nothing without one. */
export async function gitTags(folder: string): Promise<Texts> {
  const git = async (...args: string[]): Promise<string> => {
    const options = { cwd: folder, timeout: TIMEOUT_MS, env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' } };
    return (await promisify(execFile)('git', args, options)).stdout.trim();
  };
  try {
    const [commit, branch, changes, remote] = await Promise.all([
      git('rev-parse', 'HEAD'),
      git('rev-parse', '--abbrev-ref', 'HEAD'),
      git('status', '--porcelain', '--untracked-files=no'),
      git('remote', 'get-url', 'origin').catch(() => ''),
    ]);
    return {
      'mlflow.source.git.commit': commit,
      ...(branch === 'HEAD' ? {} : { 'mlflow.source.git.branch': branch }),
      'mlflow.source.git.dirty': String(changes !== ''),
      ...(remote === '' ? {} : { 'mlflow.source.git.repoURL': remote.replace(/\/\/[^/@]*@/, '//') }),
    };
  } catch {
    return {};
  }
}
