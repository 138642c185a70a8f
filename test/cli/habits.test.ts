import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completionScript, shells } from '../../src/cli/program/completion.ts';
import { createProgram } from '../../src/cli/program/program.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

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
        'source ./script; COMP_WORDS=(tailmix "$@"); COMP_CWORD=$#; _tailmix; compgen -W "${COMPREPLY[*]}"',
        'bash',
        ...words,
      ],
      { cwd: folder, encoding: 'utf8' },
    )
      .split('\n')
      .filter((word) => word !== '');

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
    expect(completed(folder, 'train', '--resume', 'ru')).toEqual(['runs']);
    expect(completed(folder, 'export', 'runs', '--format', '')).toEqual(['saved-model', 'tfjs', 'onnx']);
    expect(completed(folder, 'completion', 'z')).toEqual(['zsh']);
    expect(completed(folder, 'plan', '--', 'x.yaml', '--s')).toEqual(['--set', '--seed']);
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
    const unknown = await tailmix(folder, 'explain', 'OTHER_DATE');
    expect([unknown.code, unknown.stderr]).toMatchInlineSnapshot(`
      [
        2,
        "explain: expected the code of an error, got "OTHER_DATE". Did you mean OTHER_DATA? \`tailmix explain\` lists them.
      ",
      ]
    `);
  });
});
