import { viewTag } from 'tailmix/tracking';

/** How MLflow's page shows runs from the addresses that we print: what a long tail is judged by comes first. */
export const view = viewTag({
  metrics: [
    'test/balanced_accuracy',
    'test/many',
    'test/medium',
    'test/few',
    'test/worst_class',
    'test/accuracy',
    'test/ece',
    'train/loss',
  ],
  sections: ['test', 'validation', 'train', 'final', 'step', 'speed', 'optimistic'],
});
