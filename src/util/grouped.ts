/** `12406` → `12,406`. */
export const grouped = (value: number): string => value.toLocaleString('en-US');
