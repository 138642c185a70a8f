import { readFileSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openWeights } from '../../src/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Expected {
  shape: number[];
  dtype: string;
  values: (number | 'inf' | '-inf')[];
}

const folder = new URL('fixtures/', import.meta.url).pathname;
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<
  string,
  Record<string, Expected>
>;

const numberOf = (value: number | 'inf' | '-inf'): number =>
  typeof value === 'number' ? value : value === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;

describe('what PyTorch and safetensors write is read as they read it, to the bit', () => {
  test.each(Object.keys(expected))('%s', async (name) => {
    const file = await openWeights(join(folder, name));
    const got: Record<string, unknown> = {};
    for (const [key, { shape, dtype }] of file.arrays) got[key] = { shape, dtype, values: await file.read(key) };
    await file.close();
    const wanted = Object.entries(expected[name]!).map(([key, { values, ...info }]) => [
      key,
      { ...info, values: Float32Array.from(values, numberOf) },
    ]);
    expect(got).toEqual(Object.fromEntries(wanted));
  });

  test('metadata of a safetensors file', async () => {
    const file = await openWeights(join(folder, 'arrays.safetensors'));
    await file.close();
    expect(file.metadata).toEqual({ format: 'pt' });
  });
});

/** A pickle that calls `os.system`, as anybody can put it into a file. */
const hostile = Buffer.from('\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.', 'latin1');

async function refusal(path: string): Promise<{ code: string; message: string }> {
  const error = await openWeights(path).then(
    async (file) => {
      await file.close();
      return null;
    },
    (thrown: { code: string; message: string }) => thrown,
  );
  if (!error) throw new Error('expected a refusal');
  return { code: error.code, message: error.message.replaceAll(/\S*\/(?=[\w.-]+: )/g, '') };
}

describe('refused', () => {
  test('an object, a program', async () => {
    expect(await refusal(join(folder, 'object.pth'))).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_REFUSED",
        "message": "object.pth: expected arrays in dicts and nothing else; it has torch.nn.modules.container.Sequential, and nothing of a weights file is executed.
        Save the arrays alone: torch.save(model.state_dict(), FILE), or safetensors.torch.save_file.",
      }
    `);
    expect((await refusal(join(folder, 'script.pt'))).message).toMatch(/a TorchScript program/);
  });

  test('code in a legacy file, by name', async () => {
    const own = await temporaryFolder();
    const legacy = await readFile(join(folder, 'model-legacy.pth'));
    const start = legacy.indexOf('ccollections\nOrderedDict') - 2;
    await writeFile(join(own, 'a.pth'), Buffer.concat([legacy.subarray(0, start), hostile]));
    expect((await refusal(join(own, 'a.pth'))).message).toMatch(/it has posix\.system, and nothing .* is executed/);
  });

  test('what is no file of weights', async () => {
    const own = await temporaryFolder();
    const write = async (name: string, bytes: string | Buffer) => {
      await writeFile(join(own, name), bytes);
      return refusal(join(own, name));
    };
    expect(await write('empty.pth', '')).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_FORMAT",
        "message": "empty.pth: expected a file of weights (safetensors, or what torch.save writes of a state_dict); it is empty.",
      }
    `);
    expect(await write('page.bin', '<!DOCTYPE html>')).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_FORMAT",
        "message": "page.bin: expected a file of weights (safetensors, or what torch.save writes of a state_dict); it is a web page, as servers send instead of a file: download the file itself.",
      }
    `);
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 346284714\n';
    expect((await write('pointer.safetensors', pointer)).message).toMatch(
      /it is a pointer of Git LFS: .*git lfs pull\.$/,
    );
    expect((await write('other.bin', 'abcdefghij')).message).toMatch(/it begins with the bytes 61 62 63 64\.$/);
    expect(await write('a.safetensors.index.json', '{}')).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_FORMAT",
        "message": "a.safetensors.index.json: expected a file of weights (safetensors, or what torch.save writes of a state_dict); it is no index of safetensors files, { "weight_map": { ARRAY: FILE } }.",
      }
    `);
    expect(await write('b.json', '{ "weight_map": { "a": "../model.safetensors" } }')).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_DAMAGED",
        "message": "b.json: expected a complete file of weights; "../model.safetensors" is no .safetensors file in its own folder. It is damaged or was not downloaded in full: get it again.",
      }
    `);
    expect(await write('c.json', '{ "weight_map": { "a": "c.safetensors" } }')).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_MISSING",
        "message": "c.safetensors: expected a file of weights (.safetensors, .safetensors.index.json, .pth, .pt, .bin); there is no such file.",
      }
    `);
    expect(await refusal(join(own, 'none.pth'))).toMatchInlineSnapshot(`
      {
        "code": "WEIGHTS_MISSING",
        "message": "none.pth: expected a file of weights (.safetensors, .safetensors.index.json, .pth, .pt, .bin); there is no such file.",
      }
    `);
    expect((await refusal(own)).code).toBe('WEIGHTS_MISSING');
  });

  test('an index that names an array its file lacks', async () => {
    const own = await temporaryFolder();
    await copyFile(join(folder, 'part-1-of-2.safetensors'), join(own, 'part.safetensors'));
    await writeFile(join(own, 'i.json'), '{ "weight_map": { "bool": "part.safetensors" } }');
    expect((await refusal(join(own, 'i.json'))).message).toMatch(/its index names an array "bool", which it lacks/);
  });

  test('a file that is cut anywhere', async () => {
    const own = await temporaryFolder();
    for (const name of ['arrays.safetensors', 'model-legacy.pth', 'model.pth']) {
      const whole = await readFile(join(folder, name));
      for (let length = 0; length < whole.length; length += 13) {
        await writeFile(join(own, name), whole.subarray(0, length));
        expect([name, length, (await refusal(join(own, name))).code]).toEqual([
          name,
          length,
          expect.stringMatching(/^WEIGHTS_(DAMAGED|FORMAT)$/),
        ]);
      }
    }
  });

  test('a name that the file lacks', async () => {
    const file = await openWeights(join(folder, 'model.pth'));
    expect(() => file.read('nowhere')).toThrow(/expected an array "nowhere"/);
    await file.close();
  });
});
