/** A number as it is said in units of 1,000, which is below 999.5 as far as there are units; of the first unit it is as it was. */
export function inThousands(count: number, units: readonly string[]): { value: number; unit: string } {
  let value = count;
  let power = 0;
  while (value >= 999.5 && power < units.length - 1) {
    value /= 1000;
    power++;
  }
  return { value, unit: units[power]! };
}
