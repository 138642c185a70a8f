// Which package manager started the program, and how it adds a package.
import process from 'node:process';

/** Names of package managers, as each writes it into npm_config_user_agent of what it starts. */
const MANAGERS = ['npm', 'pnpm', 'yarn', 'bun'];

/**
 * The command line by which the package manager that started this adds a package; npm where none did.
 *
 * @returns the manager, whether it is yarn 2 or later, and the words of the command
 */
export function addCommand(spec, env = process.env) {
  const [, agent, major] = /^(\w+)\/(\d+)/.exec(env.npm_config_user_agent ?? '') ?? [];
  const manager = MANAGERS.includes(agent) ? agent : 'npm';
  const add = manager === 'npm' ? ['install', '--no-audit', '--no-fund', spec] : ['add', spec];
  return { manager, isBerry: manager === 'yarn' && Number(major) > 1, command: [...start(manager, env), ...add] };
}

/** The very manager that started this, where it says its path; else the one on the path. */
function start(manager, { npm_execpath: path }) {
  const name = path?.split(/[\\/]/).at(-1) ?? '';
  const isIt = name.startsWith(manager === 'npm' ? 'npm-cli' : manager);
  if (isIt && /\.[cm]?js$/.test(name)) return [process.execPath, path];
  if (isIt) return [path];
  return [process.platform === 'win32' && manager !== 'bun' ? `${manager}.cmd` : manager];
}
