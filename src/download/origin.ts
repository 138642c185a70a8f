import { readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';

/** What a server calls the version of a file: a strong ETag, else the time of its last change. */
export type Validator = string;

/** Where the bytes of a part came from, kept beside it. */
interface Origin {
  url: string;
  validator: Validator | null;
}

const pathOf = (part: string): string => `${part}.json`;

/** The version of the file that a part is of, if it came from `url` and the server named one. */
export async function readOrigin(part: string, url: string): Promise<Validator | null> {
  try {
    const origin = JSON.parse(await readFile(pathOf(part), 'utf8')) as Origin;
    return origin.url === url && typeof origin.validator === 'string' ? origin.validator : null;
  } catch {
    return null;
  }
}

/** Keeps the origin of a part; null forgets it. */
export async function writeOrigin(part: string, origin: Origin | null): Promise<void> {
  if (origin?.validator) await writeFile(pathOf(part), JSON.stringify(origin));
  else await rm(pathOf(part), { force: true });
}

/** What `If-Range` may hold (RFC 9110, 13.1.5): a weak ETag never. */
export function validatorOf({ etag, 'last-modified': changed }: IncomingHttpHeaders): Validator | null {
  return etag?.startsWith('"') ? etag : (changed ?? null);
}
