import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isSealBroken, sealedJson } from '../seal.ts';
import { writeFileAtomic } from '../write-file.ts';
import { spoolFiles } from './records.ts';

const serverState = z.object({
  experimentId: z.string(),
  runId: z.string(),
  artifactUri: z.string(),
  /** Bytes of the spool that the server has. */
  sent: z.int().min(0),
  /** Files that were not taken the first time. */
  postponed: z.array(z.object({ path: z.string(), file: z.string() })),
  /** Logged models by the end of their line in the spool. */
  models: z.record(z.string(), z.string()),
});

/** What one server has of a run. */
export type ServerState = z.infer<typeof serverState>;

const sentFile = z.object({ servers: z.record(z.string(), serverState) });

/** What each server has of a run, by its address. What cannot be read counts as nothing: all is sent again, and stored once. */
export async function readSent(runDirectory: string): Promise<Record<string, ServerState>> {
  const path = join(runDirectory, spoolFiles.sent);
  if (!existsSync(path)) return {};
  try {
    const sent: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isSealBroken(sent) ? {} : sentFile.parse(sent).servers;
  } catch {
    return {};
  }
}

/** Keeps what a server has of a run. */
export async function writeSent(runDirectory: string, server: string, state: ServerState): Promise<void> {
  const servers = { ...(await readSent(runDirectory)), [server]: state };
  await writeFileAtomic(join(runDirectory, spoolFiles.sent), sealedJson({ servers }));
}
