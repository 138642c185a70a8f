import { folderName } from '../tracking/run-directory.ts';

/** File of a page: `digits.html` of the sweep `digits`, so that a page that is sent on says what it is of. */
export const pageFile = (name?: string): string => (name === undefined ? 'index.html' : `${folderName(name)}.html`);
