import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gitTags } from '../../plugins/mlflow/git.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a repository’s tags: none without a commit, then commit, branch, changes and remote without its password', async () => {
  const folder = await temporaryFolder();
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@b.c', ...args], { cwd: folder, stdio: 'pipe' })
      .toString()
      .trim();
  expect(await gitTags(folder)).toEqual({});
  git('init', '-b', 'trunk');
  expect(await gitTags(folder)).toEqual({});
  writeFileSync(join(folder, 'a'), '1');
  git('add', 'a');
  git('commit', '-m', 'one');
  writeFileSync(join(folder, 'untracked'), '1');
  const commit = git('rev-parse', 'HEAD');
  const clean = {
    'mlflow.source.git.commit': commit,
    'mlflow.source.git.branch': 'trunk',
    'mlflow.source.git.dirty': 'false',
  };
  expect(await gitTags(folder)).toEqual(clean);
  git('remote', 'add', 'origin', 'https://me:secret@example.org/a.git');
  writeFileSync(join(folder, 'a'), '2');
  const changed = {
    ...clean,
    'mlflow.source.git.dirty': 'true',
    'mlflow.source.git.repoURL': 'https://example.org/a.git',
  };
  expect(await gitTags(folder)).toEqual(changed);
  git('checkout', '--detach');
  const { 'mlflow.source.git.branch': _, ...detached } = changed;
  expect(await gitTags(folder)).toEqual(detached);
});
