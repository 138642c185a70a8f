import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completionScript, shells } from '../../src/cli/program/completion.ts';
import { createProgram } from '../../src/cli/program/program.ts';
import { allPaths, helpOf, optionsAt } from '../../src/config/option-tree.ts';
import type { Described } from '../../src/config/shape.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

const program = createProgram(() => {});

/** Whether a program is installed. */
const has = (name: string): boolean => {
  try {
    return execFileSync(name, ['--version'], { stdio: 'pipe' }).length > 0;
  } catch {
    return false;
  }
};

describe('completion', () => {
  /** What bash completes for the last of some words. */
  const completed = (folder: string, ...words: string[]): string[] =>
    execFileSync(
      'bash',
      [
        '-c',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
        'source ./script; COMP_WORDS=(tailmix "$@"); COMP_CWORD=$#; _tailmix; printf "%s\\n" "${COMPREPLY[@]}"',
        'bash',
        ...words,
      ],
      { cwd: folder, encoding: 'utf8' },
    )
      .split('\n')
      .filter((word) => word !== '');

  /** A project in which tailmix is installed. */
  async function withTailmix(): Promise<string> {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
    await symlink(resolve('bin/tailmix.mjs'), join(folder, 'node_modules/.bin/tailmix'));
    return folder;
  }

  test('bash: commands, commands below them, options, what an option may be, files', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'script'), completionScript(program, 'bash'));
    await mkdir(join(folder, 'runs'));
    expect(completed(folder, 'tr')).toEqual(['train']);
    expect(completed(folder, '')).toEqual([
      ...program.commands.map((command) => command.name()),
      '--version',
      '--debug',
      '--quiet',
      '--help',
      'runs',
      'script',
    ]);
    expect(completed(folder, 'data', 'p')).toEqual(['prepare']);
    expect(completed(folder, 'data', 'prepare', '--re')).toEqual(['--repack']);
    expect(completed(folder, 'train', '--resume', 'ru')).toEqual(['runs']); // there is no tailmix to ask
    expect(completed(folder, 'export', 'runs', '--format', '')).toEqual(['saved-model', 'tfjs', 'onnx']);
    expect(completed(folder, 'completion', 'z')).toEqual(['zsh']);
    expect(completed(folder, 'plan', '--', 'x.yaml', '--s')).toEqual(['--set', '--seed']);
  });

  test('bash: values of --set, and runs; also behind npx', async () => {
    const folder = await withTailmix();
    await writeFile(join(folder, 'script'), completionScript(program, 'bash'));
    await mkdir(join(folder, 'runs/res-20260131-093000'), { recursive: true });
    await writeFile(join(folder, 'runs/res-20260131-093000/config.yaml'), 'name: res\n');
    await writeFile(join(folder, 'my.yaml'), quickRun);
    // Bash has taken the word apart at =, and completes what is behind it.
    expect(completed(folder, 'train', 'my.yaml', '--set', 'model.name', '=', 'small')).toEqual(['small-cnn']);
    expect(completed(folder, 'evaluate', '')).toEqual(['res', 'res-20260131-093000', 'runs/']);
    const npx =
      'source ./script; COMP_WORDS=(npx tailmix plan --set seed=); COMP_CWORD=4; _tailmix_npx; echo "$COMPREPLY"';
    expect(execFileSync('bash', ['-c', npx], { cwd: folder, encoding: 'utf8' })).toBe('0\n');
  });

  /** Three questions, and the answers of every shell. */
  const asked = [
    { words: ['train', '--set', 'train.opt'], answer: 'train.optimizer.' },
    { words: ['train', '--set', 'model.name=small'], answer: 'model.name=small-cnn' },
    { words: ['data', 'info', 'cinic'], answer: 'cinic10' },
  ];

  // Installed by `apt-get install zsh fish`; a skipped test is listed.
  test.skipIf(!has('fish'))('fish answers the same', async () => {
    const folder = await withTailmix();
    await writeFile(join(folder, 'script'), completionScript(program, 'fish'));
    for (const { words, answer } of asked) {
      const line = `source script; complete -C 'tailmix ${words.join(' ')}'`;
      const answers = execFileSync('fish', ['-N', '-c', line], { cwd: folder, encoding: 'utf8' });
      expect(answers.split('\n').map((one) => one.split('\t')[0])).toContain(answer);
    }
  });

  test.skipIf(!has('zsh'))('zsh answers the same', async () => {
    const folder = await withTailmix();
    await writeFile(join(folder, 'script'), completionScript(program, 'zsh'));
    // What only exists while somebody types is written down.
    const typed =
      'compdef() { :; }; compadd() { print -l -- "$@"; }; source ./script; words=(tailmix "$@"); CURRENT=$#words; PREFIX=$words[-1]; _tailmix';
    for (const { words, answer } of asked) {
      const answers = execFileSync('zsh', ['-f', '-c', typed, 'zsh', ...words], { cwd: folder, encoding: 'utf8' });
      expect(answers.split('\n')).toContain(answer);
    }
  });

  test('complete: of a config only the options of its choices, and the plugins that can be set', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'my.yaml'), quickRun);
    const words = async (word: string, ...before: string[]) =>
      (await tailmix(folder, 'complete', 'setting', word, ...before)).stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split('\t')[0]);
    expect(await words('model.d', 'plan')).toEqual(['model.depth=']);
    expect(await words('model.depth=', 'plan', 'my.yaml')).toEqual(['model.depth=2']);
    expect(await words('model.d', 'plan', 'my.yaml', '--set', 'model.name=resnet32')).toEqual([]);
    expect(await words('plugins.', 'plan', 'my.yaml')).toEqual(
      ['checkpoint', 'mixup', 'mlflow', 'progress', 'remix', 'tracking'].map((name) => `plugins.${name}.`),
    );
    expect(await words('plugins.remix.', 'plan', 'my.yaml')).toEqual([
      'plugins.remix.kappa=',
      'plugins.remix.tau=',
      'plugins.remix.enabled=',
    ]);
    expect(await words('train.optimizer.ne', 'plan')).toEqual(['train.optimizer.nesterov=']);
    expect(await words('train.optimizer.name=')).toEqual(['train.optimizer.name=sgd', 'train.optimizer.name=adamw']);
    expect(await words('train.optimizer.be', 'plan', '--set', 'train.optimizer.name=adamw')).toEqual([
      'train.optimizer.beta1=',
      'train.optimizer.beta2=',
    ]);
    expect(await words('data.onCorrupt=s')).toEqual(['data.onCorrupt=skip']);
    expect(await words('nothing.at.all.')).toEqual([]);
    await writeFile(join(folder, 'broken.yaml'), 'a: [');
    expect(await tailmix(folder, 'complete', 'setting', 'se', 'plan', 'broken.yaml')).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await tailmix(folder, 'complete', 'other', 'x')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('complete: configs, data sets, plugins, topics, checkpoints', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'my.yaml'), quickRun);
    await writeFile(join(folder, 'my.jpg'), '');
    await mkdir(join(folder, 'photos/more'), { recursive: true });
    const words = async (kind: string, word: string) =>
      (await tailmix(folder, 'complete', kind, word)).stdout.trim().split(/\t.*\n?|\n/);
    expect(await words('config', '')).toEqual(expect.arrayContaining(['my.yaml', 'photos/']));
    expect(await words('config', 'm')).toEqual(['my.yaml']);
    expect(await words('folder', 'photos/')).toEqual(['photos/more/']);
    expect(await words('data', 'cif')).toEqual(['cifar10', 'cifar100']);
    expect(await words('plugin', 'balanced-s')).toEqual(['balanced-softmax', '']);
    expect(await words('topic', 'train.optimizer.lea')).toEqual(['train.optimizer.learningRate', '']);
    expect(await words('topic', 'OTHER_')).toEqual(['OTHER_DATA']);
    expect(await words('checkpoint', 'b')).toEqual(['best']);
  });

  test.each(shells)('%s: the script has every command and option, and the shell reads it', async (shell) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'script'), completionScript(program, shell));
    const text = readFileSync(join(folder, 'script'), 'utf8');
    for (const command of program.commands) {
      for (const one of [command, ...command.commands]) {
        expect(text).toContain(one.name());
        for (const { long } of one.options) expect(text).toContain(long!.replace(/^--/, ''));
      }
    }
    if (has(shell)) execFileSync(shell, ['-n', join(folder, 'script')]);
    expect((await tailmix(folder, 'completion', shell)).stdout).toBe(text);
  });
});

test('an option that is a setting of the config is said to be one; each command points to its own help', async () => {
  const folder = await temporaryFolder();
  const texts = [];
  for (const args of [
    ['train', '--epoch', '3'],
    ['plan', '--batch-size', '3'],
    ['data', 'info'],
    ['plugins', '--epochs', '3'],
  ])
    texts.push((await tailmix(folder, ...args)).stderr);
  expect(texts).toMatchInlineSnapshot(`
    [
      "error: unknown option '--epoch'
    (tailmix train --help describes its options, with an example)
    (It is a setting of the config: --set train.epochs=VALUE)
    ",
      "error: unknown option '--batch-size'
    (tailmix plan --help describes its options, with an example)
    (It is a setting of the config: --set train.batchSize=VALUE)
    ",
      "error: missing required argument 'names'
    (tailmix data info --help describes its options, with an example)
    ",
      "error: unknown option '--epochs'
    (tailmix plugins --help describes its options, with an example)
    ",
    ]
  `);
});

test('report takes the name of a run, and refuses what is neither run nor path', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'runs/res-20260131-093000'), { recursive: true });
  await writeFile(join(folder, 'runs/res-20260131-093000/config.yaml'), 'name: res\n');
  await writeFile(join(folder, 'runs/res-20260131-093000/plan.txt'), '');
  expect((await tailmix(folder, 'report', 'res')).stderr).toContain('runs/res-20260131-093000');
  expect((await tailmix(folder, 'report', 'other')).stderr).toContain('other does not exist');
  await mkdir(join(folder, 'runs/my-photos-20260131-093000'));
  await writeFile(join(folder, 'runs/my-photos-20260131-093000/config.yaml'), 'name: my photos\n');
  await writeFile(join(folder, 'runs/my-photos-20260131-093000/plan.txt'), '');
  expect((await tailmix(folder, 'report', 'my photos')).stderr).toContain('runs/my-photos-20260131-093000');
});

test('--quiet leaves out progress and remarks, not errors', async () => {
  const folder = await temporaryFolder();
  const quiet = await tailmix(folder, '--quiet', 'plan', 'absent.yaml');
  expect(quiet).toEqual(await tailmix(folder, 'plan', 'absent.yaml'));
  expect(quiet.stderr).not.toBe('');
  const loud = await tailmix(folder, 'data', 'info', 'moons');
  const silent = await tailmix(folder, 'data', 'info', 'moons', '--quiet');
  expect([loud.code, silent.code]).toEqual([0, 0]);
  expect(loud.stderr).not.toBe('');
  expect(silent.stderr).toBe('');
  expect(silent.stdout).toBe(loud.stdout);
});

describe('explain', () => {
  test('docs/errors.md is that of the sources: npm run fix', async () => {
    const { errorsPage } = (await import('../../docs/reference/errors.mjs' as string)) as { errorsPage(): string };
    expect(readFileSync('docs/errors.md', 'utf8')).toBe(errorsPage());
    // Codes are ours: those of the system only tell cases apart.
    const codes = [...errorsPage().matchAll(/^## (.+)$/gm)].map(([, code]) => code!);
    expect(codes).toEqual(expect.arrayContaining(['CONFIG_UNREADABLE', 'WEIGHTS_MISSING']));
    expect(codes.filter((code) => code in constants.errno)).toEqual([]);
  });

  test('a code in any case, all codes, and a code that there is not', async () => {
    const folder = await temporaryFolder();
    expect((await tailmix(folder, 'explain', 'run_missing')).stdout).toMatchInlineSnapshot(`
      "RUN_MISSING

      Exit code 2.

      - No run of that name or path.
        run "…": expected a run directory, or the name of a run in …; found neither. …
      "
    `);
    const { stdout } = await tailmix(folder, 'explain');
    expect(stdout.split('\n').length).toBeGreaterThan(200);
    expect(Object.keys(JSON.parse((await tailmix(folder, 'explain', '--json')).stdout))).toEqual(
      stdout.trim().split('\n'),
    );
    const told = [];
    for (const wrong of ['OTHER_DATE', 'trian.epochs', 'kapa', 'learningRate', 'train.optimizer.beta3', 'xyzzy']) {
      const { code: exit, stderr } = await tailmix(folder, 'explain', wrong);
      expect(exit).toBe(2);
      told.push(stderr.replace(/^explain: .*? got | `tailmix explain` lists.*\n$/g, ''));
    }
    expect(told).toMatchInlineSnapshot(`
      [
        ""OTHER_DATE". Did you mean OTHER_DATA?",
        ""trian.epochs". Did you mean train.epochs?",
        ""kapa". Did you mean plugins.remix.kappa?",
        ""learningRate". Did you mean train.optimizer.learningRate?",
        ""train.optimizer.beta3". Did you mean train.optimizer.beta1?",
        ""xyzzy".",
      ]
    `);
  });

  test('an option: what it does, may be, and is without; one that differs by choice, once for each', async () => {
    const folder = await temporaryFolder();
    const explained = async (topic: string) =>
      (await tailmix(folder, 'explain', topic)).stdout.replace(/^(more +).*\/(.*\/)/m, '$1…/$2');
    expect(await explained('plugins.remix.kappa')).toMatchInlineSnapshot(`
      "plugins.remix.kappa

      Ratio of class counts from which the rarer class takes the whole label; \`.inf\` relabels nothing.
      type     a number above 1, or .inf
      default  3

      more     …/remix/README.md
      "
    `);
    expect(await explained('train.optimizer.learningRate')).toMatchInlineSnapshot(`
      "train.optimizer.learningRate

      sgd: Learning rate before any schedule.
      type     a number above 0
      default  0.1

      adamw: Learning rate before any schedule.
      type     a number above 0
      default  0.001

      more     …/docs/config.md
      "
    `);
    expect(await explained('data.split')).toMatchInlineSnapshot(`
      "data.split

      Parts of every class that are held out of the training images, before the profile is applied. The content of an image and subsetSeed decide where it goes.
      type     a map with validation, test, group

        validation  Fraction of the images for validation: what settings and epochs are chosen on.
        test        Fraction of the images for test, of a data set that has no test images of its own.
        group       Images that stay together: a regular expression on the path below \`root\`, whose first group (else the whole match) names them, or \`{ column }\` of a manifest. Images without a match stand alone.

      more     …/docs/data.md
      "
    `);
    expect(await explained('model')).toContain('type     a map whose name is one of resnet32,');
    expect(JSON.parse((await tailmix(folder, 'explain', 'train.step', '--json')).stdout)).toMatchInlineSnapshot(
      { more: expect.stringMatching(/docs.config.md$/) },
      `
      {
        "below": [],
        "more": StringMatching /docs\\.config\\.md\\$/,
        "options": [
          {
            "choice": null,
            "default": "auto",
            "description": "captured: one graph per signature; eager: op by op; auto: captured where it works.",
            "path": "train.step",
            "type": "one of auto, captured, eager",
          },
        ],
        "path": "train.step",
      }
    `,
    );
  });

  test('every option of the schema can be explained', async () => {
    const schema = JSON.parse(readFileSync('configs/schema.json', 'utf8')) as Described;
    const paths = allPaths(schema);
    expect(paths).toEqual(
      expect.arrayContaining([
        'train.optimizer.learningRate',
        'plugins.remix.kappa',
        'data.split.group',
        'plugins.checkpoint.best',
      ]),
    );
    for (const path of paths) {
      const help = helpOf(path, optionsAt(schema, path.split('.')));
      expect(help.length, path).toBeGreaterThan(0);
      for (const { type } of help) expect(type, path).not.toBe('another value');
    }
  });
});
