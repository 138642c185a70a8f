/**
 * Lets work through, in its order, while the sizes of what runs add up to no more than a limit. What is larger than the limit
 * runs alone.
 */
export function createBudget(limit: number): <T>(size: number, work: () => Promise<T>) => Promise<T> {
  let used = 0;
  const waiting: { size: number; start: () => void }[] = [];
  const admit = (): void => {
    for (let next = waiting[0]; next !== undefined && (used === 0 || used + next.size <= limit); next = waiting[0]) {
      waiting.shift();
      used += next.size;
      next.start();
    }
  };
  return async (size, work) => {
    await new Promise<void>((start) => {
      waiting.push({ size, start });
      admit();
    });
    try {
      return await work();
    } finally {
      used -= size;
      admit();
    }
  };
}
