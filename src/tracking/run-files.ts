/** Files of a run directory, by what they hold. */
export const runFiles = {
  config: 'config.yaml',
  plan: 'plan.txt',
  subset: 'subset.json',
  metrics: 'metrics.jsonl',
  summary: 'summary.json',
} as const;

/** File of a run directory with the logits of the last evaluation of a split. */
export const logitsFile = (split: 'validation' | 'test'): string => `logits-${split}.safetensors`;
