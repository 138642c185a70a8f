import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.mjs': 'text/javascript',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
};

/** A page in Chromium that has TensorFlow.js as `tf`, from a web server for the files of a folder. */
export async function inPage<T>(root: string, use: (page: Page) => Promise<T>): Promise<T> {
  const require = createRequire(import.meta.url);
  const files: Record<string, string> = {
    '/tf.js': join(dirname(require.resolve('@tensorflow/tfjs/package.json')), 'dist/tf.min.js'),
  };
  const html = '<!doctype html><link rel="icon" href="data:,"><script src="/tf.js"></script>';
  const server = createServer(async ({ url = '' }, response) => {
    const type = TYPES[extname(url)];
    if (type !== undefined) response.setHeader('content-type', type);
    response.end(url === '/' ? html : await readFile(files[url] ?? join(root, url)));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return await use(page);
  } finally {
    await browser.close();
    server.close();
  }
}
