#!/usr/bin/env node
// npm create tailmix [folder of images | new name] [-- options of tailmix init]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { addCommand } from './manager.mjs';

const usage = `Usage: npm create tailmix [folder of images | new name] [-- options of tailmix init]

  npm create tailmix ../photos   installs tailmix in this folder and writes a config for those images
  npm create tailmix my-run      makes a project to start from in a new folder

  pnpm create tailmix, yarn create tailmix and bun create tailmix do the same with their own package manager.

  --package <spec>   what to install (default: tailmix of this version)
`;

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

function parse(args) {
  const rest = [...args];
  const at = rest.indexOf('--package');
  const [spec = `tailmix@^${version}`] = at < 0 ? [] : rest.splice(at, 2).slice(1);
  const named = rest[0] !== undefined && !rest[0].startsWith('-') ? rest.shift() : undefined;
  return { spec, named, rest };
}

function fail(message) {
  process.stderr.write(`create-tailmix: ${message}\n`);
  process.exit(2);
}

/** Runs a command to its end; this ends with it if it fails. */
function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (error) fail(`expected to run ${command}; the system refused (${error.message}).`);
  if (status !== 0) process.exit(status ?? 1);
}

const isFolder = (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Folder by folder: Node's own way to make several never ends on a disk such as /proc, which takes none. */
function makeFolder(path) {
  if (isFolder(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if (!isFolder(path)) fail(`expected to make the folder ${path}; the system refused (${error.message}).`);
  }
}

function create({ spec, named, rest }) {
  const isNew = named !== undefined && !existsSync(named);
  const directory = isNew ? resolve(named) : process.cwd();
  if (named !== undefined && !isNew) {
    if (!isFolder(named)) fail(`expected a folder of images, or a new name; ${named} is a file.`);
    if (!relative(resolve(named), directory).startsWith('..')) {
      fail(`expected to write into a folder outside of the images; this one is in ${named}. Run it in another folder.`);
    }
  }
  const hasPackage = existsSync(join(directory, 'package.json'));
  if (named === undefined && !hasPackage && readdirSync(directory).some((name) => !name.startsWith('.'))) {
    fail('expected an empty folder, one with a package.json, a folder of images, or a new name.\n\n'.concat(usage));
  }
  makeFolder(directory);
  if (!hasPackage) writeFileSync(join(directory, 'package.json'), '{\n  "private": true,\n  "type": "module"\n}\n');
  const { isBerry, command } = addCommand(existsSync(spec) ? `tailmix@file:${resolve(spec)}` : spec);
  if (isBerry) prepareBerry(directory);
  const [program, ...words] = command;
  run(program, words, directory);
  const installed = join(directory, 'node_modules', 'tailmix');
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const images = named === undefined || isNew ? [] : [named];
  if (isNew) process.stdout.write(`In ${named}:\n`);
  run(process.execPath, [join(installed, bin.tailmix), 'init', ...images, ...rest], directory);
}

/** Yarn 2 and later take a folder without a lock file for a part of a project above it, and make no node_modules by themselves. */
function prepareBerry(directory) {
  const settings = join(directory, '.yarnrc.yml');
  if (!existsSync(settings)) writeFileSync(settings, 'nodeLinker: node-modules\n');
  const lock = join(directory, 'yarn.lock');
  if (!existsSync(lock)) writeFileSync(lock, '');
}

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) process.stdout.write(usage);
else create(parse(args));
