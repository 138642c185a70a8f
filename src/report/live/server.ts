import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { contentPolicy } from '../page/shell.ts';
import type { LivePage } from './page.ts';
import { script } from './script.ts';

/** A server of one live page. */
export interface LiveServer {
  /** `http://127.0.0.1:PORT/` */
  address: string;
  /** Sends what has changed to all who look. */
  update(page: LivePage): void;
  /** Says the last word, and closes. */
  end(word: string): Promise<void>;
}

/**
 * Serves a live page on 127.0.0.1: the page and its events, and nothing else. A request by another name than `127.0.0.1` and
 * `localhost` is refused, so that no page of the web can read it by a name of its own that leads here.
 *
 * @param port - 0 for any that is free
 * @throws {Error} of the system where the port is taken
 */
export async function serveLive(first: LivePage, port: number): Promise<LiveServer> {
  let current = first;
  const watchers = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const { port: own } = server.address() as AddressInfo;
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.setHeader('Referrer-Policy', 'no-referrer');
    const refuse = (status: number, text: string): void => {
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
    };
    if (![`127.0.0.1:${own}`, `localhost:${own}`].includes(request.headers.host ?? '')) {
      return refuse(421, `Expected the name 127.0.0.1:${own}.`);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'Expected GET.');
    if (request.url === '/') {
      response.writeHead(200, {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': `${contentPolicy(script)}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
      });
      response.end(request.method === 'HEAD' ? '' : current.page);
      return;
    }
    if (request.url !== '/events' || request.method === 'HEAD') return refuse(404, 'There is only one page here: /.');
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    send(response, 'update', partsOf(current));
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    update(page) {
      current = page;
      for (const watcher of watchers) send(watcher, 'update', partsOf(page));
    },
    async end(word) {
      for (const watcher of watchers) {
        send(watcher, 'end', word);
        watcher.end();
      }
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await closed;
    },
  };
}

const partsOf = ({ status, contents, sections }: LivePage): object => ({ status, contents, sections });

/** JSON has no line break, so that each event is one line of data. */
const send = (to: ServerResponse, event: string, data: unknown): boolean =>
  to.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
