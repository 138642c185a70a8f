import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { createHooks } from '../src/hooks.ts';

const { exports: targets } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, string | { 'tailmix-source': string }>;
};
const doors = Object.entries(targets).flatMap(([name, target]) =>
  typeof target === 'string' || name.includes('*') ? [] : [[name.replace('.', 'tailmix'), target['tailmix-source']]],
);

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);

/** Names that a file exports, types too. */
const exportsOf = (file: string): string[] =>
  ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest).statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) {
      if (!statement.exportClause) throw new Error(`${file}: "export *" hides which names it exports`);
      return ts.isNamedExports(statement.exportClause)
        ? statement.exportClause.elements.map(({ name }) => name.text)
        : [statement.exportClause.name.text];
    }
    if (!isExported(statement)) return [];
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => (name as ts.Identifier).text);
    return [(statement as ts.FunctionDeclaration).name!.text];
  });

test.each(doors)('%s exports these names, and no others', (_, file) => {
  expect(exportsOf(file!).sort()).toMatchSnapshot();
});

test('the picture of the loop shows every hook', () => {
  const picture = readFileSync('docs/images/loop.svg', 'utf8');
  for (const hook of Object.keys(createHooks())) expect(picture).toContain(hook);
});
