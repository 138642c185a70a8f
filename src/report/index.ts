/**
 * Writes the report of one run into its `report/`: a page, and its curves and confusion matrix as images of their own.
 * What draws it is loaded when it is called.
 *
 * @returns the files, relative to the run directory; none for a run without an evaluation.
 * @throws {TailmixError} RUN_DAMAGED, where the run's files cannot be read.
 */
export const writeRunReport = async (runDirectory: string): Promise<string[]> =>
  (await import('./run-report.ts')).writeRunReport(runDirectory);
