/** A number as it travels: JSON has no NaN and no infinities, and MLflow takes exactly these spellings. */
export type WireNumber = number | 'NaN' | 'Infinity' | '-Infinity';

/** How a run stands. */
export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';

/** Names and values of parameters or tags. */
export interface KeyValue {
  key: string;
  value: string;
}

/** A point of a metric. (run, key, timestamp, step, value) is its identity: sent twice, it is stored once. */
export interface MetricPoint {
  key: string;
  value: number;
  /** Milliseconds since 1970, whole. */
  timestamp: number;
  /** Whole; default 0. */
  step: number;
  /** Links the point to a logged model too. */
  modelId?: string;
  /** Data set it was measured on; both or neither. */
  datasetName?: string;
  datasetDigest?: string;
}

/** A point as the server gives it back; infinities come back as ±1.797e308. */
export interface StoredMetric {
  key: string;
  value: WireNumber;
  timestamp: number;
  step: number;
}

/** What happens in one call of `logBatch`. */
export interface Batch {
  metrics?: readonly MetricPoint[];
  params?: readonly KeyValue[];
  tags?: readonly KeyValue[];
}

/** A data set that a run used. Name and digest are its identity, and a run keeps one context for each. */
export interface DatasetInput {
  name: string;
  /** 36 characters at most. */
  digest: string;
  /** For example `train`, `eval`, `test`. */
  context: string;
  sourceType: string;
  /** By convention JSON. */
  source: string;
  /** By convention JSON. */
  schema?: string;
  /** By convention JSON, for example `{"num_rows":10847}`. */
  profile?: string;
}

/** An experiment. */
export interface Experiment {
  experimentId: string;
  name: string;
  artifactLocation: string;
  lifecycleStage: 'active' | 'deleted';
  tags: KeyValue[];
}

/** A run without its data. */
export interface StoredRunInfo {
  runId: string;
  runName: string;
  experimentId: string;
  status: RunStatus;
  startTime: number;
  endTime: number | null;
  artifactUri: string;
  lifecycleStage: 'active' | 'deleted';
}

/** A run as the server has it: the latest point of each metric, parameters and tags. */
export interface StoredRun {
  info: StoredRunInfo;
  metrics: StoredMetric[];
  params: KeyValue[];
  tags: KeyValue[];
  datasets: DatasetInput[];
  /** Logged models that it made. */
  models: { modelId: string; step: number }[];
}

/** A file or folder of a run. */
export interface ArtifactEntry {
  path: string;
  isDirectory: boolean;
  /** Bytes; null for a folder. */
  size: number | null;
}

/** A model that MLflow 3 lists in its Models tab. */
export interface LoggedModel {
  /** `m-` and 32 hexadecimal digits. */
  modelId: string;
  name: string;
  artifactUri: string;
  status: string;
  tags: KeyValue[];
}

/** What a server says of itself. */
export interface ServerInfo {
  storeType: string;
  /** Whether it takes artifacts. */
  artifactServing: boolean;
}
