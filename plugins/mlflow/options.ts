import { label, z } from 'tailmix';

/** Options of the plugin. */
export const options = z.strictObject({
  server: z
    .string()
    .optional()
    .describe('Address of the MLflow server. Default: `MLFLOW_TRACKING_URI`; without one, nothing is sent.'),
  experiment: label(z.string().min(1))
    .optional()
    .describe('Experiment. Default: `MLFLOW_EXPERIMENT_NAME`, else the name of the data set.'),
  every: z.int().min(0).default(10).describe('Training steps between points of `step/…`; 0 for none.'),
  checkpoints: z
    .enum(['none', 'last', 'all'])
    .default('none')
    .describe('Checkpoints to send as artifacts: none, the newest at the end, each one when it is written.'),
  model: z
    .boolean()
    .default(true)
    .describe('Lists the trained model among the logged models of MLflow 3, in a form that it loads and serves.'),
  system: z
    .number()
    .min(0)
    .optional()
    .describe(
      'Seconds between samples of processor, memory, disk, network and GPU (`system/…`); 0 for none. Default: 10 with ' +
        '`MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=true`, else 0.',
    ),
  tags: z.record(z.string(), label(z.string())).default({}).describe('Additional tags of the run.'),
  required: z
    .boolean()
    .default(false)
    .describe('Ends the run before its first step if no server accepts it. Otherwise the run is kept and sent later.'),
  patience: z
    .number()
    .min(0)
    .default(10)
    .describe('Seconds that the end of the run waits for a server that does not answer.'),
});

/** Resolved. */
export type MlflowOptions = z.output<typeof options>;
