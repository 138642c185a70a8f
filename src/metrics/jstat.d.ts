/** The part of jStat that is used here; the package has no types. */
declare module 'jstat' {
  interface Distributions {
    studentt: { cdf(x: number, df: number): number; inv(p: number, df: number): number };
    chisquare: { cdf(x: number, df: number): number };
    tukey: { inv(p: number, groups: number, df: number): number };
  }
  const module: { jStat: Distributions };
  export default module;
}
