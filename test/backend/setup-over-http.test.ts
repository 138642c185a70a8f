import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { npmPackages, tarballName } from '../../src/backend/npm-packages.ts';
import { setUpNative } from '../../src/backend/setup.ts';
import { breakOff, rangeStart, sendRange, serve } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { zipOf } from '../support/zip.ts';
import { linux, offlineFolder, pretendBuild } from './fixtures/offline.ts';

const library = Buffer.from(Uint8Array.from({ length: 400_000 }, (_, i) => 128 + 127 * Math.sin(i * i)));
const content = zipOf({
  'tensorflow/libtensorflow_cc.so.2': library,
  'tensorflow/libtensorflow_framework.so.2': 'framework',
  'tensorflow/python/large.so': Buffer.alloc(100_000, 'python'),
});

test('a set-up from an index and a registry goes on where the connection broke, and leaves no wheel behind', async () => {
  const folder = await temporaryFolder();
  const wheel = offlineFolder(join(folder, 'offline'));
  const { base, requests } = await serve((request, response) => {
    const path = decodeURIComponent(request.url!).slice(1);
    if (path.endsWith('.whl')) {
      if (rangeStart(request) > 0) return sendRange(request, response, content);
      response.writeHead(200, { 'content-length': content.length });
      return breakOff(response, content.subarray(0, content.length / 2));
    }
    if (path.endsWith('.tgz')) return response.end(readFileSync(join(dirname(wheel), path)));
    if (path === 'simple/tensorflow-cpu/') {
      const hash = createHash('sha256').update(content).digest('hex');
      response.setHeader('content-type', 'text/html');
      return response.end(`<a href="/${basename(wheel)}#sha256=${hash}">wheel</a>`);
    }
    const item = npmPackages('native').find(({ name }) => name === path);
    if (item === undefined) return response.writeHead(404).end();
    const { name, version } = item;
    const shasum = createHash('sha1')
      .update(readFileSync(join(dirname(wheel), tarballName(item))))
      .digest('hex');
    const dist = { tarball: `${base}${tarballName(item)}`, shasum };
    return response.end(JSON.stringify({ name, 'dist-tags': {}, versions: { [version]: { name, version, dist } } }));
  });
  const root = join(folder, 'cache');
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    PIP_INDEX_URL: `${base}simple`,
    npm_config_registry: base,
    npm_config_cache: join(folder, 'npm'),
  };
  let during: string[] = [];
  const made = await setUpNative({
    root,
    env,
    platform: linux,
    build: (compiler, work) => {
      during = readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.(whl|part|2)$/.test(path))
        .map((path) => path.replace(basename(work), 'building'));
      return pretendBuild(compiler, work);
    },
  });
  expect(during.sort()).toEqual([
    'building/lib/libtensorflow_cc.so.2',
    'building/lib/libtensorflow_framework.so.2',
    `downloads/${basename(wheel)}`,
  ]);
  expect(readdirSync(root)).toEqual([basename(made.folder)]);
  expect(readFileSync(join(made.folder, 'lib', 'libtensorflow_cc.so.2')).equals(library)).toBe(true);
  const starts = requests.filter(({ url }) => url?.endsWith('.whl')).map(rangeStart);
  expect(starts).toHaveLength(2);
  expect(starts[1]).toBeGreaterThan(0);
});
