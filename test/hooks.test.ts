import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { createHooks, type HookName, isAsync } from '../src/hooks.ts';
import { codeBlocks, openEditor } from './support/language-service.ts';

const names = Object.keys(createHooks()) as HookName[];
const page = readFileSync('docs/hooks.md', 'utf8');

/** Doc comments of the hooks: text and examples. */
const documented = new Map<string, { text: string; examples: string[] }>();
const visit = (node: ts.Node): void => {
  if (ts.isPropertyAssignment(node)) {
    const docs = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
    const tags = ts.getJSDocTags(node).filter(({ tagName }) => tagName.text === 'example');
    documented.set(node.name.getText(), {
      text: docs
        .map(({ comment }) => ts.getTextOfJSDocComment(comment))
        .join(' ')
        .replace(/\s+/g, ' '),
      examples: tags.flatMap(({ comment }) => codeBlocks(`${ts.getTextOfJSDocComment(comment)}\n`, 'ts')),
    });
  }
  ts.forEachChild(node, visit);
};
for (const file of ['src/hooks.ts', 'src/build-hooks.ts'])
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));

test.each(names)(
  '%s says when it is called, what it returns, whether it waits, whether it is rehearsed, by example',
  (name) => {
    const { text, examples } = documented.get(name)!;
    expect(text).toMatch(/^(Once|Each|Before|After)/);
    expect(text).toContain(isAsync(name) ? 'May be asynchronous' : 'Synchronous');
    const rehearsed = name === 'onBatch' || (name.startsWith('compute') && name !== 'computeFigures');
    const traced = name.startsWith('build');
    expect(text.match(/\*\*Rehearsed\*\*|Not rehearsed|buildHooks traced/)?.[0]).toBe(
      rehearsed ? '**Rehearsed**' : traced ? 'buildHooks traced' : 'Not rehearsed',
    );
    expect(text).toMatch(/[Rr]eturns |result is ignored/);
    expect(examples).toHaveLength(1);
    expect(examples[0]).toContain(`hooks.${name}.tap`);
  },
);

test('the examples compile in a plugin, and an editor shows them', () => {
  const code = `import { appendFile, copyFile } from 'node:fs/promises';
import { definePlugin, Order, partners, stopGradient, z } from 'tailmix';

const name = 'example';
export default definePlugin({
  name,
  options: z.strictObject({}),
  apply({ hooks, info, random }) {
${names.flatMap((hook) => documented.get(hook)!.examples).join('')}
    export_(info, random, Order, stopGradient, appendFile, copyFile);
  },
});
declare function export_(...all: unknown[]): void;
`;
  const editor = openEditor(code);
  expect(editor.errors()).toEqual([]);
  for (const hook of names) {
    const { text, tags } = editor.hover(code.indexOf(`hooks.${hook}.`) + 'hooks.'.length);
    expect(text, hook).not.toBe('');
    expect(tags.example, hook).toHaveLength(1);
  }
});

test('docs/hooks.md has every hook with its arguments in its table, and no other', () => {
  const table = page.slice(page.indexOf('\n## Table\n'), page.indexOf('\n## Rehearsals\n'));
  const listed = [...table.matchAll(/^\| `(\w+\(.*?\))`/gm)].map(([, call]) => call);
  const calls = Object.entries(createHooks()).map(
    ([name, hook]) => `${name}(${(hook as unknown as { _args: string[] })._args.join(', ')})`,
  );
  expect([...listed].sort()).toEqual(calls.sort());
});
