import { existsSync } from 'node:fs';
import process from 'node:process';
import { type Browser, chromium } from 'playwright-core';

const executablePath = [
  process.env.TAILMIX_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path));

/** Whether there is a Chromium; says on the console what is skipped without. */
export function hasChromium(what: string): boolean {
  if (executablePath === undefined) {
    console.warn(`SKIPPED: ${what}, there is no Chromium (apt install chromium, or TAILMIX_CHROMIUM).`);
  }
  return executablePath !== undefined;
}

/**
 * Starts Chromium without a window.
 *
 * @param more - arguments in addition to those that every test has
 */
export const launchChromium = (...more: string[]): Promise<Browser> =>
  chromium.launch({
    executablePath: executablePath!,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });
