import { createHash } from 'node:crypto';
import type { RemoteFile } from '../../src/download/download.ts';

export const content = Buffer.alloc(300_000, 'tailmix ');
export const digest = createHash('sha256').update(content).digest('hex');
export const impatient = { pauseMs: 1, silenceMs: 200, attempts: 3 };

export const described = (base: string, changes: Partial<RemoteFile> = {}): RemoteFile => ({
  url: `${base}x.whl`,
  hash: { algorithm: 'sha256', digest },
  size: content.length,
  ...changes,
});
