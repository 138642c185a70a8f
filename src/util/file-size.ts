import { inThousands } from './in-thousands.ts';

/** Bytes in words: `812 B`, `4.9 kB`, `43 MB`, `1.2 GB`; units of 1,000. */
export function fileSize(bytes: number): string {
  const { value, unit } = inThousands(bytes, ['B', 'kB', 'MB', 'GB', 'TB']);
  return `${value === bytes || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}
