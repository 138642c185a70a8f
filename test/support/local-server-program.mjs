// Stands for MLflow's program: `mlflow server --port N`. It listens when as many were started as its first argument says.
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const [, , folder, count, ...options] = process.argv;
writeFileSync(`${folder}/${process.pid}`, '');
while (readdirSync(folder).length < Number(count)) await delay(10);
const hosts = process.env.MLFLOW_SERVER_ALLOWED_HOSTS.split(',');
const server = createServer(({ url, headers: { host } }, response) => {
  const isAllowed = hosts.some(
    (known) => host === known || (known.endsWith(':*') && host.startsWith(known.slice(0, -1))),
  );
  response.statusCode = isAllowed || url === '/health' ? 200 : 403;
  response.end(String(process.pid));
});
server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
process.on('SIGTERM', () => process.exit());
server.listen(Number(options[options.indexOf('--port') + 1]), '127.0.0.1');
