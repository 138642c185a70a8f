import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_INDEX, readIndexSettings } from '../../src/backend/index-settings.ts';
import { listProject } from '../../src/backend/simple-index.ts';
import { targetOf } from '../../src/backend/target.ts';
import { obtainWheel } from '../../src/backend/wheel-source.ts';
import { messageOfError } from '../support/message.ts';
import { sendRange, serve } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';

const content = Buffer.from('a wheel');
const sha256 = createHash('sha256').update(content).digest('hex');
const target = targetOf('linux', 'x64')!;
const name = (python: number) => `tensorflow_cpu-2.21.0-cp${python}-cp${python}-manylinux_2_27_x86_64.whl`;
const without = { PATH: '/nowhere' };

test('an index in JSON: yanked files are left out, relative links resolved', async () => {
  const { base, requests } = await serve((_request, response) => {
    response.setHeader('content-type', 'application/vnd.pypi.simple.v1+json');
    response.end(
      JSON.stringify({
        files: [
          { filename: 'a.whl', url: '../../files/a.whl', hashes: { md5: '00', sha256: 'AB' }, size: 7, yanked: false },
          { filename: 'b.whl', url: 'b.whl', hashes: {}, yanked: 'broken' },
          { filename: 'c.whl', url: 'c.whl', hashes: { md5: '00' } },
        ],
      }),
    );
  });
  const files = await listProject(`${base}simple`.replace('//', '//me:secret@'), 'TensorFlow_CPU');
  const origin = base.replace('//', '//me:secret@');
  expect(files).toEqual([
    { filename: 'a.whl', url: `${origin}files/a.whl`, hash: { algorithm: 'sha256', digest: 'ab' }, size: 7 },
    { filename: 'c.whl', url: `${origin}simple/tensorflow-cpu/c.whl`, hash: null, size: null },
  ]);
  expect(requests[0]!.url).toBe('/simple/tensorflow-cpu/');
  expect(requests[0]!.headers.authorization).toMatch(/^Basic /);
});

test('an index in HTML', async () => {
  const { base } = await serve((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!DOCTYPE html><a href="a%2Bcpu.whl?x=1&amp;y=2#sha256=ab12">a</a>
      <a data-yanked="" href="b.whl#sha256=00">b</a>
      <a data-requires-python="&gt;=3.10" href='http://elsewhere.test/c.whl#md5=00'>c</a>`);
  });
  expect(await listProject(base, 'x')).toEqual([
    {
      filename: 'a+cpu.whl',
      url: `${base}x/a%2Bcpu.whl?x=1&y=2`,
      hash: { algorithm: 'sha256', digest: 'ab12' },
      size: null,
    },
    { filename: 'c.whl', url: 'http://elsewhere.test/c.whl', hash: null, size: null },
  ]);
});

test('the wheel comes from the first place that has it', async () => {
  const { base, requests } = await serve((request, response) => {
    if (request.url === '/empty/tensorflow-cpu/') return response.writeHead(404).end();
    if (request.url?.endsWith('.whl')) return sendRange(request, response, content);
    response.setHeader('content-type', 'text/html');
    response.end(
      [312, 311].map((python) => `<a href="${name(python)}#sha256=${sha256}">x</a>`).join('') +
        '<a href="tensorflow_cpu-2.20.0-cp311-cp311-manylinux_2_27_x86_64.whl">old</a>',
    );
  });
  const folder = await temporaryFolder();
  const request = { project: 'tensorflow-cpu', version: '2.21.0', target, folder, env: without };
  const settings = { findLinks: ['/nowhere'], indexes: [`${base}empty`, `${base}full`] };
  const wheel = await obtainWheel({ ...request, settings });
  expect(wheel).toEqual({ path: join(folder, name(311)), downloaded: true });
  expect(readFileSync(wheel.path).equals(content)).toBe(true);
  expect(requests.map(({ url }) => url)).toEqual([
    '/empty/tensorflow-cpu/',
    '/full/tensorflow-cpu/',
    `/full/tensorflow-cpu/${name(311)}`,
  ]);

  const linked = await temporaryFolder();
  writeFileSync(join(linked, name(313)), content);
  const found = await obtainWheel({ ...request, settings: { ...settings, findLinks: [linked] } });
  expect(found).toEqual({ path: join(linked, name(313)), downloaded: false });
  expect(requests).toHaveLength(3);
});

test('nothing found: each place says why, and no password is shown', async () => {
  const { base } = await serve((request, response) => {
    if (request.url?.startsWith('/locked')) return response.writeHead(401).end();
    response.setHeader('content-type', 'text/html');
    response.end('<a href="tensorflow_cpu-2.20.0-cp311-cp311-manylinux_2_27_x86_64.whl">old</a>');
  });
  const settings = {
    findLinks: [],
    indexes: ['http://127.0.0.1:59999/simple', `${base.replace('//', '//me:secret@')}locked`, `${base}old`],
  };
  const request = {
    project: 'tensorflow-cpu',
    version: '2.21.0',
    target,
    folder: await temporaryFolder(),
    env: without,
  };
  expect(
    (await messageOfError(() => obtainWheel({ ...request, settings }))).replaceAll(base, 'http://index/'),
  ).toMatchInlineSnapshot(
    `"the wheel of tensorflow-cpu 2.21.0 could not be fetched (http://127.0.0.1:59999/simple: connect ECONNREFUSED 127.0.0.1:59999; http://index/locked: it answered 401; http://index/old: no wheel of tensorflow-cpu 2.21.0 for Linux on x86-64; pip: no Python was found); check the network and the index settings (PIP_INDEX_URL, pip.conf), or give a downloaded wheel: \`tailmix setup --from FILE\`."`,
  );
});

test('index settings are those of pip: environment before files, sections in their order', async () => {
  const folder = await temporaryFolder();
  const file = (text: string, index: number): string => {
    const path = join(folder, `${index}.conf`);
    writeFileSync(path, text);
    return path;
  };
  const files = [
    '[global]\nindex-url = https://one.test/simple\nfind-links =\n    /wheels\n    /more\n',
    '# comment\n[install]\nindex_url: https://two.test/simple\n[unrelated]\nindex-url = https://no.test\n',
  ].map(file);
  expect(readIndexSettings({}, [])).toEqual({ findLinks: [], indexes: [DEFAULT_INDEX] });
  expect(readIndexSettings({}, [...files, '/nowhere/pip.conf'])).toEqual({
    findLinks: ['/wheels', '/more'],
    indexes: ['https://two.test/simple'],
  });
  const env = { PIP_INDEX_URL: 'https://env.test/', PIP_EXTRA_INDEX_URL: 'https://a.test/ https://b.test/' };
  expect(readIndexSettings(env, files).indexes).toEqual(['https://env.test/', 'https://a.test/', 'https://b.test/']);
  expect(readIndexSettings({ PIP_NO_INDEX: '1' }, files)).toEqual({ findLinks: ['/wheels', '/more'], indexes: [] });
});
