import type { KeyValue } from './types.ts';

/** How MLflow's page of an experiment shows its runs. */
export interface ExperimentView {
  /** Metrics that are columns of the table, in order; by the first, runs are sorted, the highest on top. */
  metrics: readonly string[];
  /** Sections of charts that come first, in order; a metric's section is its name up to the last `/`. */
  sections: readonly string[];
}

const SHARE_KEY = 'tailmix';

/** Name of the tag in which MLflow's page looks for a view that a link names. */
export const VIEW_TAG = `mlflow.sharedViewState.${SHARE_KEY}`;

/** Pixels. */
const CHARACTER_WIDTH = 7;
const PADDING = 40;

const columnOf = (metric: string): string => `metrics.\`${metric}\``;

/**
 * The tag of an experiment that makes {@link experimentPage} show a view: what MLflow 3 keeps when a user shares one.
 * Columns whose metric no run has are left out by MLflow.
 */
export const viewTag = ({ metrics, sections }: ExperimentView): KeyValue => ({
  key: VIEW_TAG,
  value: JSON.stringify({
    // Sorted by anything but their time, runs of a parent are rows like others; else they are folded into its row.
    ...(metrics[0] === undefined ? {} : { orderByKey: columnOf(metrics[0]), orderByAsc: false }),
    selectedColumns: ['attributes.`Dataset`', ...metrics.map(columnOf)],
    columnOrder: metrics.map(columnOf),
    columnWidths: Object.fromEntries(metrics.map((name) => [columnOf(name), CHARACTER_WIDTH * name.length + PADDING])),
    compareRunCharts: [],
    compareRunSections: sections.map((name) => ({
      uuid: `${SHARE_KEY}-${name}`,
      name,
      display: true,
      isReordered: false,
      deleted: false,
      isGenerated: true,
    })),
    isAccordionReordered: true,
  }),
});

/** Unasked, MLflow 3 shows an experiment's prompts and traces. */
const TRAINING = 'workflowType=machine_learning';

/** Address of a run. */
export const runPage = (server: string, experimentId: string, runId: string): string =>
  `${server}/#/experiments/${experimentId}/runs/${runId}?${TRAINING}`;

/**
 * Address of the table of an experiment's runs.
 *
 * @param hasView - whether it has the tag of {@link viewTag}.
 */
export const experimentPage = (server: string, experimentId: string, hasView: boolean): string =>
  `${server}/#/experiments/${experimentId}/runs?${TRAINING}&compareRunsMode=TABLE${hasView ? `&viewStateShareKey=${SHARE_KEY}` : ''}`;
