// Compiles src/ and plugins/ into dist/. The description of each option in a zod schema also becomes its doc comment in the
// declarations, so that editors show it. TensorFlow.js becomes one bundle, dist/tfjs.   node build.mjs [OUT]
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { STATE, sourceState } from './bin/checkout.mjs';
import { bundleTensorflowJs } from './tfjs/bundle.mjs';

const out = resolve(process.argv[2] ?? 'dist');
const tsc = [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json', '--outDir', out];
const state = sourceState('.');
const { status } = spawnSync(process.execPath, tsc, { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
await bundleTensorflowJs(out);

for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
  if (name.startsWith('tfjs')) continue;
  const file = join(out, name);
  if (/\.js$|\.d\.ts$/.test(name) && !existsSync(name) && !existsSync(name.replace(/\.js$|\.d\.ts$/, '.ts')))
    rmSync(file);
  else if (name.endsWith('.d.ts')) await comment(file);
}
// The launcher compiles again only what has changed since.
writeFileSync(join(out, STATE), state);

/** Gives the options of a declaration file their comments. */
async function comment(file) {
  const text = readFileSync(file, 'utf8');
  if (!text.includes('z.ZodObject<')) return;
  const module = await import(pathToFileURL(file.replace(/\.d\.ts$/, '.js')).href);
  const commented = withComments(file, text, module);
  if (commented !== text) writeFileSync(file, commented);
}

/** A declaration file with a comment before each option of an exported schema that has a description. */
function withComments(file, text, module) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const insertions = [];
  const add = (member, description) => {
    if (description && ts.getJSDocCommentsAndTags(member).length === 0)
      insertions.push({ at: member.getStart(source), comment: `/** ${description.replaceAll('*/', '* /')} */ ` });
  };
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, type } of statement.declarationList.declarations) {
      const value = module[name.text === '_default' ? 'default' : name.text];
      if (type && value) visit(type, value.definition?.options ?? value, add);
    }
  }
  return insertions
    .sort((a, b) => b.at - a.at)
    .reduce((result, { at, comment }) => result.slice(0, at) + comment + result.slice(at), text);
}

/** Goes through the type of a schema and the schema side by side. */
function visit(type, schema, add) {
  const def = schema?._zod?.def;
  if (ts.isImportTypeNode(type)) for (const inner of type.typeArguments ?? []) visit(inner, schema, add);
  if (def === undefined || !ts.isTypeReferenceNode(type)) return;
  const [first] = type.typeArguments ?? [];
  if (first === undefined) return;
  if (ts.isTypeLiteralNode(first) && def.type === 'object') {
    for (const member of first.members) {
      const option = schema.shape[member.name?.text];
      if (option === undefined) continue;
      add(member, descriptionOf(option));
      if (member.type) visit(member.type, option, add);
    }
  }
  const elements = ts.isTypeOperatorNode(first) ? first.type : first;
  if (ts.isTupleTypeNode(elements) && def.options)
    for (const [i, element] of elements.elements.entries()) visit(element, def.options[i], add);
  const inner = def.innerType ?? def.element;
  if (inner) visit(first, inner, add);
}

/** The description of a schema, or of what it wraps. */
function descriptionOf(schema) {
  return schema.description ?? (schema._zod.def.innerType && descriptionOf(schema._zod.def.innerType));
}
