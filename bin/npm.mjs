// Part of the launcher: plain Node, no dependencies.
import process from 'node:process';

export function npmCommand(env = process.env) {
  const path = env.npm_execpath;
  if (path !== undefined && /npm-cli\.[cm]?js$/.test(path)) return [process.execPath, path];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
}
