/**
 * What pixel values a network was trained on: `bytes` 0…255, `unit` 0…1, `signed` −1…1, or `normalised` by the mean and
 * standard deviation of the run's data.
 */
export const pixelRanges = ['bytes', 'unit', 'signed', 'normalised'] as const;
export type PixelRange = (typeof pixelRanges)[number];
