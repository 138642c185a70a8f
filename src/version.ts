import { createRequire } from 'node:module';

const { version: packageVersion } = createRequire(import.meta.url)('tailmix/package.json') as { version: string };

/** Version of the running tailmix. */
export const version: string = packageVersion;
