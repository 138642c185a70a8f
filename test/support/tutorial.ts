import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { shell } from './installed.ts';

/** A block of a page that its reader types: a command, or a file, whose first line is a comment with its name. */
export type Block = { run: string } | { file: string; text: string };

/**
 * The blocks of a page in order: `sh` is run, any other language is a file. Blocks without a language are output.
 *
 * @throws {Error} where a block of code does not name its file
 */
export function blocksOf(page: string): Block[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, language, text]): Block[] => {
    if (language === '') return [];
    if (language === 'sh') return [{ run: text! }];
    const file = text!.match(/^(?:#|\/\/) (\S+\.\w+)\n/)?.[1];
    if (file === undefined) throw new Error(`${page}: a block of ${language} does not name its file:\n${text}`);
    return [{ file, text: text! }];
  });
}

/** An empty project that has this checkout in the place of the package. */
export function linkedProject(folder: string): string {
  const project = join(folder, 'app');
  mkdirSync(join(project, 'node_modules/.bin'), { recursive: true });
  symlinkSync(resolve('.'), join(project, 'node_modules/tailmix'));
  symlinkSync(resolve('bin/tailmix.mjs'), join(project, 'node_modules/.bin/tailmix'));
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  return project;
}

/**
 * Does in a project what a page says, from top to bottom, on the native backend.
 *
 * @returns what its commands printed
 * @throws {Error} with the command that failed and its messages
 */
export function follow(page: string, project: string): string {
  const outputs = blocksOf(page).map((block) => {
    if ('file' in block) {
      writeFileSync(join(project, block.file), block.text);
      return '';
    }
    const { code, stdout, stderr } = shell(project, block.run, { TAILMIX_BACKEND: 'native', npm_config_yes: 'false' });
    if (code !== 0) throw new Error(`${page}: exit code ${code} of\n${block.run}\n${stderr}`);
    return stdout;
  });
  return outputs.join('');
}
