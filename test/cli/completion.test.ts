import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completionScript, shells } from '../../src/cli/program/completion.ts';
import { createProgram } from '../../src/cli/program/program.ts';
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
    expect(completed(folder, 'sweep', '--grid', 'ru')).toEqual([]);
    expect(completed(folder, 'probe', '--tune', 'ru')).toEqual(['runs']);
    expect(completed(folder, 'export', 'runs', '--format', '')).toEqual(['saved-model', 'tfjs', 'onnx', 'mlflow']);
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
