import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program/program.ts';

const program = createProgram(() => {});
const commands = program.commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));

describe('help', () => {
  it('lists the commands', () => {
    expect(program.commands.map((command) => command.name())).toEqual([
      'train',
      'plan',
      'record',
      'sweep',
      'compare',
      'probe',
      'report',
      'pictures',
      'watch',
      'figure',
      'evaluate',
      'mistakes',
      'predict',
      'export',
      'plugins',
      'init',
      'schema',
      'data',
      'cache',
      'mlflow',
      'bench',
      'doctor',
      'setup',
      'completion',
      'explain',
    ]);
  });

  it.each(commands.map((command) => [command.name(), command] as const))('%s has an example', (_, command) => {
    let text = '';
    command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
    expect(text).toContain('\nExample:\n  tailmix ');
    for (const option of command.options) expect(option.description, option.flags).toBeTruthy();
  });

  it('every command has --json, but for those that print JSON or a script already', () => {
    const without = commands.filter(({ options }) => !options.some(({ long }) => long === '--json'));
    expect(without.map((command) => command.name())).toEqual(['schema', 'completion']);
  });
});
