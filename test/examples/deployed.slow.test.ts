import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import process from 'node:process';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportRun } from '../../src/export/index.ts';
import type { TrainedRun } from '../../src/trained/open.ts';
import { predictLogits, softmax } from '../../src/trained/predict.ts';
import { type Photo, sureNetwork, writePhotos } from '../export/photos.ts';
import { describeNative } from '../step/captured-support.ts';
import { hasChromium, launchChromium } from '../support/chromium.ts';

const run = promisify(execFile);
const modules = resolve('node_modules');
const timeout = 240_000;
const chromium = hasChromium('the example of a page is not run');

describeNative('examples that use an exported model', (use) => {
  let root: string;
  let network: TrainedRun;
  let photos: Photo[];
  const model = (format: string): string => join(root, format);

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'tailmix-examples-'));
    const read = await writePhotos(root);
    network = await sureNetwork(read);
    photos = await read(network);
    for (const format of ['tfjs', 'onnx'] as const) await exportRun(network, use(), { format, folder: model(format) });
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  /** Classes of a photo as `tailmix predict` has them, the likeliest first. */
  function expected({ own }: Photo): { class: string; probability: number }[] {
    const [probabilities] = predictLogits(network, [own]).map(softmax);
    return network.info.classes
      .map((name, label) => ({ class: name, probability: probabilities![label]! }))
      .sort((a, b) => b.probability - a.probability);
  }

  /** An example in a folder of its own, with packages of this checkout. */
  function copyOf(example: string, packages: readonly string[]): string {
    const folder = join(root, `example-${example}`);
    cpSync(join('examples', example), folder, { recursive: true });
    for (const name of packages) link(folder, name, join(modules, name));
    return folder;
  }
  function link(folder: string, name: string, target: string): void {
    mkdirSync(join(folder, 'node_modules', name, '..'), { recursive: true });
    symlinkSync(target, join(folder, 'node_modules', name));
  }

  test('edge-onnx: a script without tailmix', async () => {
    const folder = copyOf('edge-onnx', ['onnxruntime-node', 'sharp']);
    const paths = photos.map(({ path }) => path);
    const { stdout } = await run(process.execPath, ['classify.mjs', model('onnx'), ...paths], { cwd: folder });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(photos.length);
    for (const [i, photo] of photos.entries()) expectLine(lines[i]!.replace(`${photo.path}  `, ''), photo);
  });

  /** `NAME 93.14 %`, for the likeliest class of a photo. */
  function expectLine(line: string, photo: Photo): void {
    const [best] = expected(photo);
    const [, name, percentage] = /^(.*) (\d+\.\d\d) %$/.exec(line) ?? [];
    expect(name, `${photo.path}: ${line}`).toBe(best!.class);
    expect(Math.abs(Number(percentage) / 100 - best!.probability)).toBeLessThan(0.01);
  }

  test.skipIf(!chromium)(
    'browser: a page that is built by Vite, with a file and with a camera',
    { timeout },
    async () => {
      const folder = copyOf('browser', ['@tensorflow/tfjs', 'typescript', 'vite']);
      cpSync(model('tfjs'), join(folder, 'public/model'), { recursive: true });
      await run(process.execPath, [join(modules, 'typescript/bin/tsc')], { cwd: folder });
      await run(process.execPath, [join(modules, 'vite/bin/vite.js'), 'build'], { cwd: folder });
      const server = await serve(join(folder, 'dist'));
      const browser = await launchChromium('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
      try {
        const page = await browser.newPage();
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
        await page.getByText('Ready.').waitFor();
        // JPEG files, one of which lies on its side.
        for (const photo of [photos[0]!, photos[2]!]) {
          await page.setInputFiles('#photo', photo.path);
          await page.getByRole('status').getByText(photo.path.split('/').at(-1)!).waitFor();
          expectLine((await linesOf(page))[0]!, photo);
        }
        await writeFile(join(root, 'broken.jpg'), 'no photo');
        await page.setInputFiles('#photo', join(root, 'broken.jpg'));
        await page.getByText(/could not be decoded/).waitFor();
        expect(await linesOf(page)).toEqual([]);
        // A second click while the browser asks for permission opens no second stream.
        const opened = await page.evaluate(`(() => {
          const { mediaDevices } = navigator;
          const open = mediaDevices.getUserMedia.bind(mediaDevices);
          let count = 0;
          mediaDevices.getUserMedia = (wanted) => (count++, open(wanted));
          for (let i = 0; i < 2; i++) document.querySelector('#camera').click();
          return count;
        })()`);
        expect(opened).toBe(1);
        await page.locator('#result li').nth(2).waitFor();
        expect(await page.locator('video').isVisible()).toBe(true);
        await page.setInputFiles('#photo', photos[0]!.path);
        await page.locator('video').waitFor({ state: 'hidden' });
      } finally {
        await browser.close();
        server.close();
      }
    },
  );

  const linesOf = (page: Page): Promise<string[]> => page.locator('#result li').allTextContents();

  test('server: photos by HTTP, limits, errors as JSON, an end that answers first', { timeout }, async (context) => {
    const folder = copyOf('server', []);
    const install = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--omit=dev'];
    // tailmix is this checkout, which the registry may not have.
    const { dependencies, ...rest } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    delete dependencies.tailmix;
    await writeFile(join(folder, 'package.json'), JSON.stringify({ ...rest, dependencies }));
    const installed = await run('npm', install, { cwd: folder }).catch((error: Error) => error);
    if (installed instanceof Error) {
      console.warn(`SKIPPED: the example of a server is not run, Fastify cannot be installed: ${installed.message}`);
      return context.skip();
    }
    link(folder, 'tailmix', resolve('.'));
    for (const name of ['@types/node', 'undici-types']) link(folder, name, join(modules, name));
    // Against the sources of tailmix: a checkout that was only run has no declarations.
    const ofSources = ['--customConditions', 'tailmix-source', '--allowImportingTsExtensions'];
    await run(process.execPath, [join(modules, 'typescript/bin/tsc'), ...ofSources], { cwd: folder });
    const args = ['node_modules/jiti/lib/jiti-cli.mjs', 'server.ts', model('tfjs')];
    const env = { ...process.env, PORT: '0', TAILMIX_BACKEND: 'wasm' };
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    try {
      const address = await addressOf(child);
      const ask = async (body: string | Uint8Array<ArrayBuffer>, path = '/classify', type = 'image/jpeg') => {
        const answer = await fetch(address + path, { method: 'POST', body, headers: { 'content-type': type } });
        return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
      };
      const health = await fetch(`${address}/health`);
      expect(await health.json()).toEqual({ status: 'ok', classes: network.info.classes });
      for (const photo of [photos[0]!, photos[2]!, photos[5]!]) {
        const { status, body } = await ask(await readFile(photo.path));
        expect(status).toBe(200);
        const top = body.top as { class: string; probability: number }[];
        expect(top.map((guess) => guess.class)).toEqual(
          expected(photo)
            .slice(0, 3)
            .map((guess) => guess.class),
        );
        expect(Math.abs(top[0]!.probability - expected(photo)[0]!.probability)).toBeLessThan(0.01);
      }
      const photo = await readFile(photos[0]!.path);
      expect((await ask(photo, '/classify?top=1')).body.top).toHaveLength(1);
      const error = (code: unknown) => ({ error: { code, message: expect.stringMatching(/./) } });
      expect(await ask('no photo')).toEqual({ status: 422, body: error('IMAGE_UNREADABLE') });
      expect(await ask('')).toMatchObject({ status: 422, body: error(expect.stringMatching(/^(IMAGE|PREDICT)_/)) });
      // Refused by its length: what is sent meanwhile may meet a closed connection.
      const headers = { 'content-type': 'image/jpeg', 'content-length': 10 * 2 ** 20 + 1 };
      const large = request(`${address}/classify`, { method: 'POST', headers }).on('error', () => {});
      large.flushHeaders();
      const [refused] = (await once(large, 'response')) as [IncomingMessage];
      expect([refused.statusCode, await json(refused)]).toEqual([413, error('FST_ERR_CTP_BODY_TOO_LARGE')]);
      large.destroy();
      expect(await ask('{}', '/classify', 'application/json')).toEqual({
        status: 415,
        body: error('FST_ERR_CTP_INVALID_MEDIA_TYPE'),
      });
      expect(await ask(photo, '/classify?top=none')).toEqual({ status: 400, body: error('FST_ERR_VALIDATION') });
      expect(await ask(photo, '/elsewhere')).toEqual({ status: 404, body: error('NOT_FOUND') });
      // What was asked before the end is answered.
      const last = ask(await readFile(photos[3]!.path));
      await new Promise((sent) => setTimeout(sent, 100));
      child.kill('SIGTERM');
      expect((await last).status).toBe(200);
      expect(await exited).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

test('each example has a README of a screen, and package.json names what its files import', async () => {
  for (const example of ['server', 'browser', 'edge-onnx']) {
    const folder = join('examples', example);
    const { length } = (await readFile(join(folder, 'README.md'), 'utf8')).split('\n');
    expect(length, example).toBeLessThan(40);
    const { dependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const files = readdirSync(folder).filter((file) => /\.m?[jt]s$/.test(file));
    const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
    const imported = texts.flatMap((text) => [...text.matchAll(/from '([^'.][^']*)'/g)].map(([, name]) => name!));
    const packages = imported
      .filter((name) => !name.startsWith('node:'))
      .map((name) => name.replace(/^(@[^/]+\/)?([^/]+).*/, '$1$2'));
    const run = example === 'server' ? ['jiti'] : [];
    expect([...new Set([...packages, ...run])].sort(), example).toEqual(Object.keys(dependencies).sort());
  }
});

/** The address that Fastify's log has. */
async function addressOf(child: ChildProcess): Promise<string> {
  let log = '';
  for await (const text of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    log += text;
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? [];
    if (address !== undefined) {
      child.stdout!.resume();
      return address;
    }
  }
  throw new Error(`the server has ended: ${log}`);
}

const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript' };

/** A web server of files. */
async function serve(folder: string): Promise<Server> {
  const server = createServer(async ({ url = '' }, response) => {
    const path = join(folder, url === '/' ? 'index.html' : url);
    if (!existsSync(path)) return response.writeHead(404).end();
    response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
    response.end(await readFile(path));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}
