/** Compares the numbers of two released versions, of any length. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const HOLDS: Readonly<Record<string, (difference: number) => boolean>> = {
  '==': (difference) => difference === 0,
  '!=': (difference) => difference !== 0,
  '>=': (difference) => difference >= 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '<': (difference) => difference < 0,
};

/**
 * Whether a version is a release that fits a specifier of a Python package (PEP 440), for example `<13.0,>=12.5.3`; a
 * specifier without operator is the version itself. Pre-releases never fit, nor does a part of a specifier with `~=`, `===`
 * or `*`.
 */
export function fitsSpecifier(version: string, specifier: string): boolean {
  if (!/^\d+(\.\d+)*$/.test(version)) return false;
  return specifier.split(',').every((part) => {
    const [, operator = '==', bound] = /^\s*(==|!=|>=|<=|>|<)?\s*(\d+(?:\.\d+)*)\s*$/.exec(part) ?? [];
    return bound !== undefined && HOLDS[operator]!(compareVersions(version, bound));
  });
}
