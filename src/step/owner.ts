const owners: (string | undefined)[] = [];

/** The plugin whose code is running inside a `build…` function; undefined in core's own. */
export const currentOwner = (): string | undefined => owners.at(-1);

/**
 * Makes every function in `value` (itself, or in its fields) say whose it is while it runs. What was already in `before`
 * belongs to somebody else and stays as it is.
 */
export function ownedBy<T>(owner: string | undefined, value: T, before?: unknown): T {
  if (value === before) return value;
  if (typeof value === 'function') {
    return ((...args: unknown[]): unknown => {
      owners.push(owner);
      try {
        return value(...args);
      } finally {
        owners.pop();
      }
    }) as T;
  }
  if (typeof value !== 'object' || value === null) return value;
  const fields = (before ?? {}) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, ownedBy(owner, field, fields[key])]),
  ) as T;
}
