import type { DatasetInput, Experiment, KeyValue, RunStatus, StoredMetric, StoredRun, StoredRunInfo } from './types.ts';

type Stage = 'active' | 'deleted';

/** An experiment as it travels. */
export interface WireExperiment {
  experiment_id: string;
  name: string;
  artifact_location: string;
  lifecycle_stage: Stage;
  tags?: KeyValue[];
}

/** A run as it travels; what is empty is left out. */
export interface WireRun {
  info: {
    run_id: string;
    run_name?: string;
    experiment_id: string;
    status: RunStatus;
    start_time?: number;
    end_time?: number;
    artifact_uri: string;
    lifecycle_stage: Stage;
  };
  data?: { metrics?: StoredMetric[]; params?: KeyValue[]; tags?: KeyValue[] };
  inputs?: { dataset_inputs?: { dataset: WireDataset; tags?: KeyValue[] }[] };
  outputs?: { model_outputs?: { model_id: string; step?: number }[] };
}

interface WireDataset {
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema?: string;
  profile?: string;
}

/** An id or an address, without which nothing can follow. */
export function text(value: string): string {
  if (typeof value !== 'string' || value === '') throw new TypeError('expected text');
  return value;
}

/** Reads an experiment. */
export const readExperiment = (wire: WireExperiment): Experiment => ({
  experimentId: text(wire.experiment_id),
  name: wire.name,
  artifactLocation: wire.artifact_location,
  lifecycleStage: wire.lifecycle_stage,
  tags: wire.tags ?? [],
});

/** Reads what a run is, without its data. */
export const readRunInfo = (wire: WireRun['info']): StoredRunInfo => ({
  runId: text(wire.run_id),
  runName: wire.run_name ?? '',
  experimentId: text(wire.experiment_id),
  status: wire.status,
  startTime: wire.start_time ?? 0,
  endTime: wire.end_time || null,
  artifactUri: text(wire.artifact_uri),
  lifecycleStage: wire.lifecycle_stage,
});

/** Reads a run. */
export const readRun = ({ info, data = {}, inputs = {}, outputs = {} }: WireRun): StoredRun => ({
  info: readRunInfo(info),
  metrics: (data.metrics ?? []).map((metric) => ({ ...metric, step: metric.step ?? 0 })),
  params: data.params ?? [],
  tags: data.tags ?? [],
  datasets: (inputs.dataset_inputs ?? []).map(({ dataset, tags = [] }) => readDataset(dataset, tags)),
  models: (outputs.model_outputs ?? []).map(({ model_id, step = 0 }) => ({ modelId: model_id, step })),
});

const readDataset = (
  { name, digest, source_type, source, schema, profile }: WireDataset,
  tags: readonly KeyValue[],
): DatasetInput => ({
  name,
  digest,
  sourceType: source_type,
  source,
  ...(schema === undefined ? {} : { schema }),
  ...(profile === undefined ? {} : { profile }),
  context: tags.find(({ key }) => key === 'mlflow.data.context')?.value ?? '',
});
