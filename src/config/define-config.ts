import type { RunInput } from './schema.ts';

/**
 * A config in TypeScript or JavaScript, as editors complete and check it; returned as it is.
 *
 * @example
 * export default defineConfig({
 *   data: { name: 'digits' },
 *   model: { name: 'small-cnn' },
 *   plugins: [mixup({ alpha: 0.4 })],
 * });
 */
export const defineConfig = <Config extends RunInput>(config: Config): Config => config;
