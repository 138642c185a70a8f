import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installTarball, packTarball, shell } from '../support/installed.ts';
import { skewedPhotos } from '../support/skewed-photos.ts';

let folder: string;
let project: string;

/** An empty project with the packed tarball, and a skewed folder of photos beside it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailmix-road-'));
  project = join(folder, 'app');
  installTarball(project, packTarball(folder));
  await skewedPhotos(join(folder, 'my photos'));
}, 600_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The commands that an output says may come next. */
const nextOf = (output: string): string[] =>
  [...output.matchAll(/^(?:Next:| {5}) (npx tailmix .*?) +# /gm)].map(([, command]) => command!);

/** Runs a command of the road. */
function run(command: string): { stdout: string; stderr: string } {
  const { code, stdout, stderr } = shell(project, command, { TAILMIX_BACKEND: 'native' });
  expect(code, `${command}\n${stderr}`).toBe(0);
  expect(stderr).not.toContain('Warning');
  return { stdout, stderr };
}

/** Runs a command; returns what it says, and the command that it says comes next. */
function walk(command: string, next: RegExp): { stdout: string; next: string } {
  const { stdout, stderr } = run(command);
  const found = nextOf(stderr).find((one) => next.test(one));
  expect(found, `${command} says what comes next:\n${stderr}`).toBeDefined();
  return { stdout, next: found! };
}

describe('from a folder of photos to a classifier, each command as the one before says', { timeout: 600_000 }, () => {
  test('look, init, plan, train, report, evaluate, mistakes, predict, export, code', async () => {
    const looked = walk("npx tailmix data info '../my photos'", /init/);
    expect(looked.stdout).toContain('few images');
    expect(looked.next).toBe("npx tailmix init '../my photos'");

    const made = walk(`${looked.next} --yes`, /plan/);
    expect(made.stdout).toContain('wrote tailmix.config.yaml');
    expect(readFileSync(join(project, 'tailmix.config.yaml'), 'utf8')).toContain('  - use: balanced-softmax');
    expect(readdirSync(join(folder, 'my photos')).sort()).toEqual(['.DS_Store', 'bee', 'newt', 'old oak', 'wasp']);

    const planned = walk(made.next, /train/);
    const trained = walk(`${planned.next} --set train.epochs=2`, /report/);
    const reported = walk(trained.next, /mistakes/);
    expect(readFileSync(reported.stdout.match(/Report: (.*)/)![1]!, 'utf8')).toContain('<!doctype html>');

    walk("npx tailmix evaluate 'my photos'", /mistakes/);
    const listed = walk(reported.next, /predict/);
    expect(listed.stdout).toContain('images classified wrongly');
    const predict = listed.next.replace('IMAGE…', "'../my photos/newt'");
    const predicted = walk(`${predict} --csv`, /export/);
    const rows = predicted.stdout.trim().split('\n');
    expect(rows[0]).toBe('image,class_1,probability_1,class_2,probability_2,class_3,probability_3,error');
    expect(rows).toHaveLength(1 + 3);

    const exported = walk(predicted.next.replace('onnx', 'saved-model'), /predict/);
    const [place] = exported.stdout.split('  ');
    expect(existsSync(join(project, place!, 'saved_model.pb'))).toBe(true);
    const again = run(exported.next.replace('IMAGE…', "'../my photos/newt/0.jpg'"));
    expect(again.stdout).toMatch(/newt\/0\.jpg {2}\w+/);
    await writeFile(
      join(project, 'classify.mjs'),
      `import { loadPredictor } from 'tailmix/predict';
const predictor = await loadPredictor(${JSON.stringify(place)});
const { top } = await predictor.predict('../my photos/bee/0.jpg', { top: 1 });
console.log(JSON.stringify(top));
await predictor.dispose();
`,
    );
    const [{ class: name }] = JSON.parse(run('node classify.mjs').stdout);
    expect(['bee', 'newt', 'old oak', 'wasp']).toContain(name);
  });
});
