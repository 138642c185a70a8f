/**
 * Most bytes of what describes a file's arrays: a header, an index or a pickle. That of a published network has some 100 KB.
 * What is made of each byte takes several, so this bounds memory and time.
 */
export const LONGEST_DESCRIPTION = 1 << 23;
/** Most arrays of a file. The published networks have up to 2,000. */
export const MOST_ARRAYS = 1 << 15;
/** Most ops of a pickle and items of what it calls functions with: each makes at most one object. An array takes about 50. */
export const MOST_OBJECTS = 1 << 19;
/** Most dimensions of an array: PyTorch’s own limit. */
export const MOST_DIMENSIONS = 64;
