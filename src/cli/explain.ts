import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suggest } from '../util/suggest.ts';
import { codeUnknown } from './errors.ts';
import { print, printJson } from './output.ts';
import { packageRoot } from './package-root.ts';

/** `tailmix explain`: what an error code means, as `docs/errors.md` says it; without a code, all codes. */
export async function explain(wanted: string | undefined, { json }: { json?: boolean }): Promise<number> {
  const page = await readFile(join(packageRoot, 'docs/errors.md'), 'utf8');
  const sections = new Map(
    page
      .split(/^## /m)
      .slice(1)
      .map((section) => {
        const [code = '', ...lines] = section.split('\n');
        return [code, lines.join('\n').trim()] as const;
      }),
  );
  if (wanted === undefined) {
    if (json) printJson(Object.fromEntries(sections));
    else print([...sections.keys()].join('\n'));
    return 0;
  }
  const code = wanted.toUpperCase();
  const text = sections.get(code);
  if (text === undefined) throw codeUnknown(wanted, suggest(code, [...sections.keys()]));
  if (json) printJson({ code, text });
  else print(`${code}\n\n${text.replaceAll(/^ {2}``(.*) ``$/gm, '  $1')}`);
  return 0;
}
