import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { targetOf } from '../../src/backend/target.ts';
import { unpackMembers } from '../../src/backend/wheel.ts';
import { destinationOf, findWheel, tensorflowLayout } from '../../src/backend/wheel-layout.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { zipOf } from '../support/zip.ts';

const target = targetOf('linux', 'x64')!;
const layout = tensorflowLayout(target);

const members = {
  'tensorflow/libtensorflow_cc.so.2': Buffer.alloc(200_000, 'cc'),
  'tensorflow/libtensorflow_framework.so.2': 'framework',
  'tensorflow/include/tensorflow/c/c_api.h': '// c_api',
  'tensorflow/python/pywrap.so': 'not wanted',
};

async function wheelWith(bytes: Buffer): Promise<{ wheel: string; folder: string }> {
  const folder = await temporaryFolder();
  const wheel = join(folder, 'x.whl');
  writeFileSync(wheel, bytes);
  return { wheel, folder };
}

test('libraries and headers are unpacked, nothing else', async () => {
  const { wheel, folder } = await wheelWith(zipOf(members));
  let done = 0;
  await unpackMembers(wheel, folder, layout, (bytes, total) => {
    done = bytes / total!;
  });
  expect(readFileSync(join(folder, 'lib/libtensorflow_cc.so.2')).equals(Buffer.alloc(200_000, 'cc'))).toBe(true);
  expect(readFileSync(join(folder, 'lib/libtensorflow_framework.so.2'), 'utf8')).toBe('framework');
  expect(readFileSync(join(folder, 'include/tensorflow/c/c_api.h'), 'utf8')).toBe('// c_api');
  expect(done).toBe(1);
});

test('members that would leave the folder, or are not wanted, have no destination', () => {
  for (const member of [
    'tensorflow/../../evil.h',
    'tensorflow/include/numpy/x.h',
    '/tensorflow/libtensorflow_cc.so.2',
  ]) {
    expect(destinationOf(member, target)).toBeNull();
  }
});

test('a wheel that is cut short, altered, or another package is told', async () => {
  const whole = zipOf(members);
  const cut = await wheelWith(whole.subarray(0, whole.length / 2));
  expect(await messageOfError(() => unpackMembers(cut.wheel, cut.folder, layout), cut.folder)).toMatchInlineSnapshot(
    `"…/x.whl is damaged (End of central directory record signature not found. Either not a zip file, or file is truncated.); delete it and run \`tailmix setup\` again."`,
  );
  const altered = Buffer.from(zipOf({ ...members, 'tensorflow/libtensorflow_framework.so.2': 'framework' }));
  altered.writeUInt32LE(1, altered.indexOf('PK\x01\x02') + 16);
  const wrong = await wheelWith(altered);
  expect(
    await messageOfError(() => unpackMembers(wrong.wheel, wrong.folder, layout), wrong.folder),
  ).toMatchInlineSnapshot(
    `"…/x.whl is damaged (the checksum of tensorflow/libtensorflow_cc.so.2 is wrong); delete it and run \`tailmix setup\` again."`,
  );
  const other = await wheelWith(zipOf({ 'numpy/x.py': 'x' }));
  expect(
    await messageOfError(() => unpackMembers(other.wheel, other.folder, layout), other.folder),
  ).toMatchInlineSnapshot(
    `"…/x.whl holds no tensorflow/libtensorflow_cc.so.2; it is not a TensorFlow wheel that tailmix knows."`,
  );
});

test.each([
  ['tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl', true],
  ['tensorflow.cpu-2.21.0-1-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl', true],
  ['tensorflow_cpu-2.21.0rc1-cp311-cp311-manylinux_2_27_x86_64.whl', false],
  ['tensorflow_cpu-2.21.0-cp311-cp311-win_amd64.whl', false],
  ['tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_aarch64.whl', false],
  ['tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl', false],
  ['tensorflow_cpu-2.21.0.tar.gz', false],
])('%s is the wheel: %s', (filename, expected) => {
  const wanted = { project: 'tensorflow-cpu', version: '2.21.0', target };
  expect(findWheel([filename], String, wanted)).toBe(expected ? filename : undefined);
});
