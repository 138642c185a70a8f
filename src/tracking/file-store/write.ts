import { existsSync } from 'node:fs';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '#make-folder';
import { writeFailed } from '../errors.ts';
import { experimentTags } from '../spool/attach.ts';
import { filledIn } from '../spool/experiment-name.ts';
import { modelFiles } from '../spool/model.ts';
import { hasSpool, readSpool, readSpoolRun } from '../spool/read.ts';
import type { RecordOf, RunRecord, SpoolRecord } from '../spool/records.ts';
import { writeFileAtomic } from '../write-file.ts';
import { experimentNumber, fileNames, idOf, yaml } from './layout.ts';

/** What of a run cannot be kept in a file store, and why. */
export type OnRemark = (remark: string) => void;

/** A run in a file store. */
export interface ExportedRun {
  /** Directory that it was made from. */
  directory: string;
  experiment: string;
  experimentId: string;
  runId: string;
}

type Metrics = Pick<RecordOf<'metrics'>, 'time' | 'step' | 'values'>;
type Texts = Readonly<Record<string, string>>;

/** A run as its spool tells it, put together. */
interface Told {
  run: RunRecord;
  tags: Texts;
  params: Texts;
  metrics: Metrics[];
  datasets: RecordOf<'inputs'>['datasets'];
  artifacts: ReadonlyMap<string, string>;
  models: RecordOf<'model'>[];
  status: RecordOf<'status'>['status'];
  endTime: number | null;
}

const STATUS = { RUNNING: 1, FINISHED: 3, FAILED: 4, KILLED: 5 } as const;
const MODEL_READY = 2;

/**
 * Writes runs into a folder in the form of MLflow's file store, which `mlflow migrate-filestore` reads. Experiments and
 * runs that are there already stay, but for those that are written again. Runs of which the given ones are parts are
 * written too.
 *
 * @param store - folder; made where it is missing.
 * @param directories - run directories with a spool.
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED, WRITE_FAILED
 */
export async function writeFileStore(
  store: string,
  directories: readonly string[],
  onRemark: OnRemark = () => {},
): Promise<ExportedRun[]> {
  await made(store);
  const exported: ExportedRun[] = [];
  for (const directory of await withParents(directories)) {
    const told = await readTold(directory, (remark) => onRemark(`${directory}: ${remark}`));
    const experimentId = await ensureExperiment(store, told.run);
    const runId = idOf(told.run.uid);
    await writeRun(store, {
      directory,
      experimentId,
      runId,
      told,
      onRemark: (remark) => onRemark(`${directory}: ${remark}`),
    });
    exported.push({ directory, experiment: filledIn(told.run.experiment), experimentId, runId });
  }
  return exported;
}

async function withParents(directories: readonly string[]): Promise<string[]> {
  const all = new Set<string>();
  for (const directory of directories) {
    const { parent } = await readSpoolRun(directory);
    const above = parent && resolve(directory, parent.directory);
    if (above && hasSpool(above) && (await readSpoolRun(above)).uid === parent.uid) all.add(above);
    all.add(resolve(directory));
  }
  return [...all];
}

/** Puts the lines of a spool together, as a server does that is sent them one by one. */
async function readTold(directory: string, onRemark: OnRemark): Promise<Told> {
  const records: SpoolRecord[] = [];
  for await (const { record, problem } of readSpool(directory)) {
    if (record) records.push(record);
    else onRemark(`a line of the spool cannot be read, and was left out: ${problem}`);
  }
  const of = <Type extends SpoolRecord['type']>(type: Type) =>
    records.filter((record): record is RecordOf<Type> => record.type === type);
  const run = await readSpoolRun(directory);
  const last = of('status').at(-1);
  const status = last?.status ?? 'RUNNING';
  return {
    run,
    tags: Object.assign({}, run.tags, ...of('tags').map(({ values }) => values)),
    params: Object.assign(
      {},
      ...of('params')
        .map(({ values }) => values)
        .reverse(),
    ),
    metrics: of('metrics'),
    datasets: of('inputs').flatMap(({ datasets }) => datasets),
    artifacts: new Map(of('artifact').map(({ path, file }) => [path, file])),
    models: of('model'),
    status,
    endTime: last && status !== 'RUNNING' ? last.time : null,
  };
}

async function ensureExperiment(store: string, run: RunRecord): Promise<string> {
  const { time } = run;
  const experiment = filledIn(run.experiment);
  const number = await experimentNumber(store, experiment);
  const folder = join(store, number);
  if (existsSync(join(folder, 'meta.yaml'))) return number;
  const tags = join(folder, 'tags');
  // Those of another experiment that was left unfinished.
  await rm(tags, { recursive: true, force: true }).catch((cause) => {
    throw writeFailed(tags, cause);
  });
  await writeValues(tags, experimentTags(run));
  // Last: a folder without it is no experiment.
  await write(join(folder, 'meta.yaml'), {
    artifact_location: `mlflow-artifacts:/${number}`,
    creation_time: time,
    experiment_id: number,
    last_update_time: time,
    lifecycle_stage: 'active',
    name: experiment,
  });
  return number;
}

interface Place {
  directory: string;
  experimentId: string;
  runId: string;
  told: Told;
  onRemark: OnRemark;
}

async function writeRun(store: string, { directory, experimentId, runId, told, onRemark }: Place): Promise<void> {
  const { run, tags, params, metrics, datasets, artifacts, models, status, endTime } = told;
  const experiment = join(store, experimentId);
  const folder = join(experiment, runId);
  await rm(folder, { recursive: true, force: true });
  for (const part of ['artifacts', 'metrics', 'params', 'tags']) await made(join(folder, part));
  await writeValues(join(folder, 'params'), params, onRemark);
  const own = {
    'mlflow.runName': run.name,
    'tailmix.uid': run.uid,
    ...(run.parent ? { 'mlflow.parentRunId': idOf(run.parent.uid) } : {}),
  };
  await writeValues(join(folder, 'tags'), { ...tags, ...own }, onRemark);
  await writeValues(join(folder, 'metrics'), metricFiles(metrics), onRemark);
  await copyFiles(directory, join(folder, 'artifacts'), artifacts, onRemark);
  for (const { name, digest, context, sourceType, source, schema, profile } of datasets) {
    const id = idOf(`${name}\n${digest}`);
    const meta = { name, digest, source_type: sourceType, source, schema: schema ?? null, profile: profile ?? null };
    await write(join(experiment, 'datasets', id, 'meta.yaml'), meta);
    await write(join(folder, 'inputs', id, 'meta.yaml'), {
      source_type: 'DATASET',
      source_id: id,
      destination_type: 'RUN',
      destination_id: id,
      tags: { 'mlflow.data.context': context },
    });
  }
  for (const [i, model] of models.entries()) {
    const modelId = `m-${idOf(`${run.uid} ${i}`)}`;
    await write(join(folder, 'outputs', modelId, 'meta.yaml'), {
      source_type: 'RUN_OUTPUT',
      source_id: modelId,
      destination_type: 'MODEL_OUTPUT',
      destination_id: modelId,
      tags: {},
      step: model.step,
    });
    await writeModel(join(experiment, 'models', modelId), model, { directory, experimentId, runId, onRemark });
  }
  // Last: a folder without it is no run.
  await write(join(folder, 'meta.yaml'), {
    artifact_uri: `mlflow-artifacts:/${experimentId}/${runId}/artifacts`,
    end_time: endTime,
    entry_point_name: '',
    experiment_id: experimentId,
    lifecycle_stage: 'active',
    run_id: runId,
    run_name: run.name,
    source_name: tags['mlflow.source.name'] ?? '',
    source_type: 4,
    source_version: '',
    start_time: run.time,
    status: STATUS[status],
    tags: [],
    user_id: tags['mlflow.user'] ?? '',
  });
}

async function writeModel(
  folder: string,
  { name, kind, time, params, tags, metrics, ...own }: RecordOf<'model'>,
  { directory, experimentId, runId, onRemark }: Omit<Place, 'told'>,
): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const part of ['metrics', 'params', 'tags']) await made(join(folder, part));
  await writeValues(join(folder, 'params'), params, onRemark);
  await writeValues(join(folder, 'tags'), tags, onRemark);
  // The migration stops at a model's metric that is no number.
  const finite = metrics && Object.entries(metrics.values).filter(([, value]) => typeof value === 'number');
  const points = metrics && { ...metrics, values: Object.fromEntries(finite!) };
  await writeValues(join(folder, 'metrics'), metricFiles(points ? [points] : [], ` ${runId}`), onRemark);
  await copyFiles(
    directory,
    join(folder, 'artifacts'),
    new Map(modelFiles(directory, own).map(({ path, file }) => [path, file])),
    onRemark,
  );
  const modelId = folder.slice(folder.lastIndexOf('m-'));
  await write(join(folder, 'meta.yaml'), {
    artifact_location: `mlflow-artifacts:/${experimentId}/models/${modelId}/artifacts`,
    creation_timestamp: time,
    experiment_id: experimentId,
    last_updated_timestamp: time,
    lifecycle_stage: 'active',
    model_id: modelId,
    model_type: kind,
    model_uri: `models:/${modelId}`,
    name,
    source_run_id: runId,
    status: MODEL_READY,
    status_message: null,
  });
}

/** Lines of each metric: time, value, step. Python spells what is no number its own way. */
function metricFiles(records: readonly Metrics[], behind = ''): Record<string, string> {
  const spelled: Record<string, string> = { NaN: 'nan', Infinity: 'inf', '-Infinity': '-inf' };
  const lines = new Map<string, Set<string>>();
  for (const { time, step, values } of records) {
    for (const [key, value] of Object.entries(values)) {
      if (!lines.has(key)) lines.set(key, new Set());
      lines.get(key)!.add(`${time} ${spelled[value] ?? value} ${step}${behind}\n`);
    }
  }
  return Object.fromEntries([...lines].map(([key, of]) => [key, [...of].join('')]));
}

/** A file for each value. */
async function writeValues(folder: string, values: Texts, onRemark: OnRemark = () => {}): Promise<void> {
  const { kept, left } = fileNames(Object.keys(values));
  for (const reason of left) onRemark(reason);
  for (const name of kept) {
    const path = join(folder, name);
    await made(dirname(path));
    await writeFile(path, values[name]!).catch((cause) => {
      throw writeFailed(path, cause);
    });
  }
}

async function copyFiles(
  directory: string,
  folder: string,
  files: ReadonlyMap<string, string>,
  onRemark: OnRemark,
): Promise<void> {
  for (const [path, file] of files) {
    const target = join(folder, path);
    await made(dirname(target));
    await copyFile(join(directory, file), target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw writeFailed(target, error);
      onRemark(`${file}: it is not in the run directory any more.`);
    });
  }
}

async function write(path: string, meta: Record<string, unknown>): Promise<void> {
  await made(dirname(path));
  await writeFileAtomic(path, yaml(meta));
}

const made = (folder: string): Promise<void> =>
  makeFolder(folder).catch((cause) => {
    throw writeFailed(folder, cause);
  });
