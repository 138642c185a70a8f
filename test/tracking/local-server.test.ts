import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LocalPort, type LocalServer, startLocalServer } from '../../src/tracking/local-server.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const program = fileURLToPath(new URL('../support/local-server-program.mjs', import.meta.url));

/** Starts servers that listen once `count` programs have started: whoever looks for a free port by then finds the same. */
function starter(started: string, count: number) {
  return async (folder: string, port: LocalPort): Promise<LocalServer> => {
    const server = await startLocalServer([process.execPath, program, started, String(count)], folder, port);
    onTestFinished(() => server.stop());
    return server;
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const processAt = async ({ url }: LocalServer) => (await fetch(url)).text();

describe('a local server', () => {
  it('is on a port of its own, also where two start at the same time', async () => {
    const [port, one, other] = [await freePort(), await temporaryFolder(), await temporaryFolder()];
    const start = starter(await temporaryFolder(), 2);
    const servers = await Promise.all([start(one, { port }), start(other, { port })]);
    const urls = servers.map(({ url }) => url);
    expect(urls).toContain(`http://127.0.0.1:${port}`);
    expect(new Set(urls).size).toBe(2);
    expect(new Set(await Promise.all(servers.map(processAt))).size).toBe(2);
    // Each one's address is that of its own process.
    await servers[0]!.stop();
    await expect(processAt(servers[0]!)).rejects.toThrow();
    expect(await processAt(servers[1]!)).toMatch(/^\d+$/);
  });

  it('where no other port will do, the second is told so', async () => {
    const [port, one, other] = [await freePort(), await temporaryFolder(), await temporaryFolder()];
    const start = starter(await temporaryFolder(), 2);
    const ends = await Promise.allSettled([one, other].map((folder) => start(folder, { port, isFixed: true })));
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const { reason } = ends.find((end) => end.status === 'rejected')!;
    expect(await messageOfError(() => Promise.reject(reason))).toBe(
      `mlflow ui: expected to listen on port ${port}, which is in use. Choose another with --port.`,
    );
  });

  it('over the folder of another waits for that one to have made its tables', async () => {
    const folder = await temporaryFolder();
    const start = starter(await temporaryFolder(), 1);
    const first = start(folder, { port: 0 });
    const second = start(folder, { port: 0 });
    await first;
    expect(new Set([(await first).url, (await second).url]).size).toBe(2);
  });

  it('shows what its program said where it does not start', async () => {
    const folder = await temporaryFolder();
    const missing = startLocalServer([process.execPath, join(folder, 'missing.mjs')], folder, { port: 0 });
    expect(await messageOfError(() => missing)).toMatch(
      /expected MLflow's server to start; it ended with 1 \(.*\)\. See /,
    );
  });
});
