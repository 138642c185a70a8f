/**
 * Makes a folder, and those above it that are missing. Node's own way to do so never returns where a folder is there and
 * takes no other, as `/proc` (nodejs/node, `mkdir` with `recursive`).
 *
 * @throws {Error} what the system says of the first folder that cannot be made
 */
export function makeFolder(path: string): Promise<void>;
