import process from 'node:process';
import Fastify, { type FastifyError } from 'fastify';
import { loadPredictor } from 'tailmix/predict';

/** Largest photo that is taken, in bytes. */
const LIMIT = 10 * 2 ** 20;

/**
 * A server that classifies photos: `POST /classify?top=3` with the photo as body.
 *
 * @param source - a run, or a folder that `tailmix export` wrote
 */
export async function createServer(source: string, { limit = LIMIT, logger = true } = {}) {
  const predictor = await loadPredictor(source);
  const app = Fastify({ bodyLimit: limit, logger, forceCloseConnections: 'idle' });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^image\//, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.get('/health', async () => ({ status: 'ok', classes: predictor.classes }));

  const querystring = { type: 'object', properties: { top: { type: 'integer', minimum: 1, default: 3 } } };
  app.post<{ Body: Buffer; Querystring: { top: number } }>(
    '/classify',
    { schema: { querystring } },
    async ({ body, query }) => {
      const { top } = await predictor.predict(body, query);
      return { top };
    },
  );

  app.setNotFoundHandler(async ({ method, url }, reply) => {
    reply.code(404);
    return { error: { code: 'NOT_FOUND', message: `There is no ${method} ${url}: POST a photo to /classify.` } };
  });
  app.setErrorHandler<FastifyError>(async (error, request, reply) => {
    // What is wrong with a photo is the client's fault; anything else is ours, and its details go to the log alone.
    const status = /^(IMAGE|PREDICT)_/.test(error.code) ? 422 : (error.statusCode ?? 500);
    reply.code(status);
    if (status < 500) return { error: { code: error.code, message: error.message } };
    request.log.error(error);
    return { error: { code: 'INTERNAL', message: 'The photo could not be classified.' } };
  });
  // After the last answer was sent.
  app.addHook('onClose', () => predictor.dispose());
  return app;
}

if (process.argv[1] === import.meta.filename) {
  const [source] = process.argv.slice(2);
  if (source === undefined) {
    console.error('usage: npm start RUN|EXPORT');
    process.exit(2);
  }
  const app = await createServer(source);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => app.close());
  await app.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 3000) });
}
