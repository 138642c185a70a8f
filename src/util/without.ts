/** A map without some of its keys. */
export const without = (map: object, ...keys: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
