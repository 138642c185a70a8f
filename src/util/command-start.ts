import process from 'node:process';

const STARTS: Readonly<Record<string, string>> = { pnpm: 'pnpm tailmix', yarn: 'yarn tailmix', bun: 'bunx tailmix' };

/** How the package manager that started this process starts tailmix in a project; `npx tailmix` where none did. */
export const commandStart = ({ npm_config_user_agent: agent = '' }: NodeJS.ProcessEnv = process.env): string =>
  STARTS[agent.split('/')[0]!] ?? 'npx tailmix';
