import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { watch } from '../../src/cli/watch.ts';
import { renderLive } from '../../src/report/live/page.ts';
import { readLive } from '../../src/report/live/runs.ts';
import { type LiveServer, serveLive } from '../../src/report/live/server.ts';
import { own } from '../../src/tracking/ownership.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';
import { writeSyntheticRun } from './synthetic-runs.ts';

let root: string;
let directory: string;
let lines: string[];
let summary: string;
let release: () => Promise<void>;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-live-'));
  const groups = { evaluate: { groups: { manyAbove: 100, fewBelow: 20 } } };
  await writeSyntheticRun(root, { method: 'ERM', seed: 1, tailLift: 0, epochs: 3, config: groups });
  directory = await writeSyntheticRun(root, {
    ...{ method: 'Re<b>mix', seed: 1, tailLift: 0.5, epochs: 3, config: groups },
  });
  summary = await readFile(join(directory, 'summary.json'), 'utf8');
  lines = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  const { dataset, classes, classCounts, subsetHash } = JSON.parse(summary) as Record<string, unknown>;
  const subset = { dataset, classes, classCounts, seed: 0, hash: subsetHash };
  await writeFile(join(directory, 'subset.json'), JSON.stringify(subset));
  await rm(join(directory, 'summary.json'));
  await writeFile(join(directory, 'metrics.jsonl'), '');
  release = (await own(directory)).release;
});
afterEach(async () => {
  await release();
  await rm(root, { recursive: true, force: true });
});

const epoch = (n: number) => appendFile(join(directory, 'metrics.jsonl'), `${lines[n - 1]}\n`);
const drawn = async () => renderLive('a sweep', await readLive(root), new Set());

describe('runs as they stand', () => {
  test('one that trains has the figures of its last epoch, once there are any', async () => {
    expect(await readLive(root)).toMatchObject([
      { method: 'ERM', state: 'finished', epoch: 3, epochs: 3, secondsLeft: null },
      { state: 'running', epoch: 0, epochs: 3, loaded: null },
    ]);
    await epoch(1);
    const [, running] = await readLive(root);
    expect(running).toMatchObject({ epoch: 1, epochs: 3 });
    expect(running!.secondsLeft! / JSON.parse(lines[0]!).seconds).toBeCloseTo(2, 9);
    expect((await drawn()).status).toBe('2 runs: 1 finished, 1 running. 4 of 6 epochs.');
  });

  test('one of several phases has the epochs of all of them', async () => {
    const config = join(directory, 'config.yaml');
    await writeFile(config, `${await readFile(config, 'utf8')}phases: [{ epochs: 2 }, {}]\n`);
    expect((await readLive(root))[1]).toMatchObject({ state: 'running', epochs: 5 });
  });

  test('one that nobody trains any more is unfinished', async () => {
    await release();
    expect((await readLive(root))[1]).toMatchObject({ state: 'unfinished' });
    await expect(watch(root)).rejects.toMatchObject({ code: 'WATCH_ENDED' });
  });

  test('names are escaped', async () => {
    await epoch(1);
    const { page } = await drawn();
    expect(page).toContain('Re&lt;b&gt;mix, seed 1');
    expect(page).not.toContain('Re<b>mix');
  });
});

describe('the server', () => {
  let server: LiveServer;
  beforeEach(async () => {
    server = await serveLive(await drawn(), 0);
  });
  afterEach(() => server.end('done'));

  const ask = (path: string, { host, method = 'GET' }: { host?: string; method?: string } = {}) =>
    new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
      const { port, hostname } = new URL(server.address);
      const asked = request({ port, hostname, path, method, headers: host === undefined ? {} : { host } }, (answer) => {
        let text = '';
        answer.on('data', (part) => {
          text += part;
        });
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }));
      });
      asked.on('error', reject).end();
    });

  test('has one page, with a policy that lets in no script but its own', async () => {
    const { status, headers, text } = await ask('/');
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; .*script-src 'sha256-[\w+/]+=*';/);
    expect(text).toContain('<h1>a sweep</h1>');
  });

  test.each(['/config.yaml', '/../../etc/passwd', '/%2e%2e/summary.json', '//', '/?x', 'http://example.com/'])(
    'has no %s',
    async (path) => {
      expect((await ask(path)).status).toBe(404);
    },
  );

  test.each(['example.com', '127.0.0.1', 'localhost:1', 'evil.test:80'])('is not called %s', async (host) => {
    expect((await ask('/', { host })).status).toBe(421);
    expect((await ask('/events', { host })).status).toBe(421);
  });

  test('is called localhost, and takes nothing', async () => {
    expect((await ask('/', { host: `localhost:${new URL(server.address).port}` })).status).toBe(200);
    expect((await ask('/', { method: 'POST' })).status).toBe(405);
  });
});

describe.skipIf(!hasChromium('the live report is not looked at'))('in Chromium', { timeout: 60_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  const text = (page: Page, selector: string) => page.locator(selector).first().innerText();

  test('follows the run, keeps focus, and closes with it', async () => {
    const said: string[] = [];
    const { write } = process.stdout;
    process.stdout.write = ((part: string) => {
      said.push(part);
      return true;
    }) as typeof write;
    const watching = watch(root);
    let page: Page;
    try {
      await expect.poll(() => said.join(''), { timeout: 20_000 }).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/m);
      page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const trouble: string[] = [];
      page.on('console', (message) => trouble.push(message.text()));
      page.on('pageerror', (error) => trouble.push(error.message));
      await page.goto(said.join('').trim());
      expect(await text(page, '#status')).toBe('2 runs: 1 finished, 1 running. 3 of 6 epochs.');
      await page.keyboard.press('Tab');
      await page.locator('[aria-label="Runs"]').focus();
      await epoch(1);
      await expect.poll(() => text(page, '#status'), { timeout: 20_000 }).toContain('4 of 6 epochs');
      await expect.poll(() => text(page, 'main')).toContain('Re<b>mix');
      expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toBe('Runs');
      await writeFile(join(directory, 'metrics.jsonl'), `${lines.join('\n')}\n`);
      await writeFile(join(directory, 'summary.json'), summary);
      await release();
      await expect
        .poll(() => text(page, '#status'), { timeout: 30_000 })
        .toBe('Ended. 2 runs: 2 finished. 6 of 6 epochs.');
      expect(await watching).toBe(0);
      expect(trouble).toEqual([]);
      await expect(fetch(said[0]!.trim())).rejects.toThrow();
      await page.close();
    } finally {
      process.stdout.write = write;
    }
  });

  test.each([
    [360, 'light'],
    [1280, 'dark'],
  ] as const)('at %i pixels nothing sticks out (%s), and it prints', async (width, colorScheme) => {
    await epoch(1);
    const server = await serveLive(await drawn(), 0);
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    await page.goto(server.address);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    const [ground, ink] = await page.evaluate<[string, string]>(
      '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]',
    );
    expect(ground).not.toBe(ink);
    await page.emulateMedia({ media: 'print' });
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
    await page.close();
    await server.end('done');
  });
});
