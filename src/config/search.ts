import { resolve } from 'node:path';
import process from 'node:process';
import { type CosmiconfigResult, cosmiconfig } from 'cosmiconfig';
import { displayPath, messageOf } from '../errors.ts';
import { configNotFound, configSyntax } from './errors.ts';

const ENDINGS = ['yaml', 'yml', 'ts', 'js', 'mjs', 'json'];

/** Where a config is looked for, in order, from the working directory up to the first `package.json`. */
export const searchPlaces: readonly string[] = [
  ...ENDINGS.map((ending) => `tailmix.config.${ending}`),
  '.tailmixrc',
  ...ENDINGS.map((ending) => `.tailmixrc.${ending}`),
  'package.json',
];

/** The search asks only which file there is; `readLayer` reads it. */
const found = (): object => ({});

/**
 * Finds the config of a folder.
 *
 * @returns its absolute path.
 * @throws {TailmixError} CONFIG_NOT_FOUND
 */
export async function findConfig(from: string = process.cwd()): Promise<string> {
  let result: CosmiconfigResult;
  try {
    result = await createExplorer().search(resolve(from));
  } catch (error) {
    // Nothing is parsed while searching but package.json, which cosmiconfig reads for its own settings too.
    throw configSyntax(displayPath(resolve(from, 'package.json')), messageOf(error).split('\n').at(-1)!);
  }
  if (!result) throw configNotFound(from, searchPlaces);
  return result.filepath;
}

const createExplorer = () =>
  cosmiconfig('tailmix', {
    searchPlaces: [...searchPlaces],
    searchStrategy: 'project',
    ignoreEmptySearchPlaces: false,
    loaders: {
      noExt: found,
      ...Object.fromEntries(ENDINGS.map((ending) => [`.${ending}`, found])),
      '.json': (path, text) => (path.endsWith('package.json') ? JSON.parse(text) : found()),
    },
  });
