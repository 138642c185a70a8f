import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** A member of a tar file: its header, and its bytes where it is a file. */
export type Member = Partial<Header> & { name: string; content?: string | Uint8Array };

/** Bytes of a tar file. Names and kinds go in as they are, also those that no tool would write. */
export async function tarOf(members: readonly Member[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members) {
    const bytes = Buffer.from(content ?? '');
    tar.entry({ mtime: new Date(0), size: bytes.length, ...header }, bytes);
  }
  tar.finalize();
  return buffer(tar as unknown as AsyncIterable<Uint8Array>);
}

/** The same, gzipped. */
export const tarGzOf = async (members: readonly Member[]): Promise<Buffer> => gzipSync(await tarOf(members));

/** Members of files by path, in plain form. */
export const filesOf = (files: Record<string, string | Uint8Array>): Member[] =>
  Object.entries(files).map(([name, content]) => ({ name, content }));
