/** Files of a run directory, by what they hold. */
export const runFiles = {
  config: 'config.yaml',
  plan: 'plan.txt',
  subset: 'subset.json',
  metrics: 'metrics.jsonl',
  summary: 'summary.json',
} as const;
