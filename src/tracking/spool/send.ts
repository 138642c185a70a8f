import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../errors.ts';
import type { MlflowClient } from '../mlflow/client.ts';
import { MlflowError } from '../mlflow/errors.ts';
import { attachRun, type Destination, removeGhosts } from './attach.ts';
import { type Item, isRefusal, itemsOf, sendItems, splitItems } from './batch.ts';
import { runGone } from './errors.ts';
import { sendModel } from './model.ts';
import { readSpool, type SpoolLine } from './read.ts';
import type { RecordOf, RunEnd, SpoolRecord } from './records.ts';
import { type ServerState, writeSent } from './sent.ts';

/** What sending needs beside the spool. */
export interface SendOptions {
  client: MlflowClient;
  destination?: Destination;
  /** Told what the server does not take, and why: it is left out. */
  onRemark?: (remark: string) => void;
  /** Called whenever the server has taken something, a part of a file too. */
  onProgress?: (state: Readonly<ServerState>) => void;
}

/** Sends the spool of one run to one server. */
export interface Sender {
  /**
   * Sends what the spool has by now and the server has not. Ends without an error when the server has all of it.
   *
   * @throws {MlflowError} when the server cannot be reached or does not let us in: call again later.
   * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED, MLFLOW_RUN_DELETED
   */
  send(): Promise<Readonly<ServerState>>;
  /** Gives the run on the server the end that its spool could not take. */
  conclude(end: RunEnd): Promise<void>;
}

const ENOUGH = 1000;

/** Whether a file may be taken another time. */
const isForLater = (error: unknown): error is MlflowError =>
  error instanceof MlflowError && (error.isPassing || error.failure === 'auth');

/** Makes a sender. One at a time may send a run. */
export function createSender(
  runDirectory: string,
  { client, destination, onRemark = () => {}, onProgress = () => {} }: SendOptions,
): Sender {
  let state: ServerState | undefined;
  let hasForgotten = false;
  let status: RecordOf<'status'>['status'] | undefined;

  const keep = async (changes: Partial<ServerState>): Promise<void> => {
    state = { ...state!, ...changes };
    await remember(state);
    onProgress(state);
  };

  /** Where it cannot be written, all is sent again another time, and stored once. */
  const remember = (state: ServerState): Promise<void> =>
    writeSent(runDirectory, client.server, state).catch((error) => {
      if (!hasForgotten) onRemark(messageOf(error));
      hasForgotten = true;
    });

  async function upload(path: string, file: string): Promise<void> {
    const source = join(runDirectory, file);
    if (!existsSync(source)) return onRemark(`${file}: it is not in the run directory any more, and was not sent.`);
    try {
      await client.uploadArtifact(state!.artifactUri, path, { file: source, onRead: () => onProgress(state!) });
    } catch (error) {
      if (isForLater(error)) throw error;
      onRemark(`${file} was not sent: ${messageOf(error)}`);
    }
  }

  /** A file that the server cannot take now must not hold up what follows it. */
  async function uploadOrPostpone(path: string, file: string): Promise<void> {
    try {
      await upload(path, file);
    } catch (error) {
      if (!isForLater(error)) throw error;
      await keep({ postponed: [...state!.postponed.filter((other) => other.path !== path), { path, file }] });
    }
  }

  async function sendOther(record: SpoolRecord, end: number): Promise<void> {
    const { runId } = state!;
    if (record.type === 'artifact') return uploadOrPostpone(record.path, record.file);
    try {
      if (record.type === 'inputs') await client.logInputs(runId, record.datasets);
      if (record.type === 'model') {
        const options = { runDirectory, client, state: state!, onRemark, onProgress: () => onProgress(state!) };
        const modelId = await sendModel(record, `${end}`, options);
        await keep({ models: { ...state!.models, [end]: modelId } });
      }
      if (record.type === 'status') {
        const { time } = record;
        status = record.status;
        await client.updateRun(runId, status === 'RUNNING' ? { status } : { status, endTime: time });
        if (status !== 'RUNNING') await removeGhosts(runDirectory, client, state!);
      }
    } catch (error) {
      // A server before MLflow 3 knows no logged models.
      const isUnknown = error instanceof MlflowError && error.failure === 'foreign' && error.status === 404;
      if (!isRefusal(error) && !(record.type === 'model' && isUnknown)) throw error;
      onRemark(`${record.type} was not taken: ${messageOf(error)}`);
    }
  }

  async function sendLines(): Promise<void> {
    let items: Item[] = [];
    let end = state!.sent;
    const flush = async (): Promise<void> => {
      for (const call of splitItems(items)) {
        await sendItems(client, state!.runId, call, (what, error) =>
          onRemark(`${what} was not taken: ${error.message}`),
        );
      }
      items = [];
      if (end > state!.sent) await keep({ sent: end });
    };
    for await (const { record, problem, end: lineEnd } of readSpool(
      runDirectory,
      state!.sent,
    ) as AsyncIterable<SpoolLine>) {
      if (record === null) onRemark(`a line of the spool cannot be read, and was left out: ${problem}`);
      else if (record.type === 'metrics' || record.type === 'params' || record.type === 'tags')
        items.push(...itemsOf(record));
      else if (record.type !== 'run') {
        await flush();
        await sendOther(record, lineEnd);
      }
      end = lineEnd;
      if (items.length >= ENOUGH) await flush();
    }
    await flush();
  }

  async function sendPostponed(): Promise<void> {
    const failures: unknown[] = [];
    for (const { path, file } of state!.postponed) {
      try {
        await upload(path, file);
        await keep({ postponed: state!.postponed.filter((other) => other.path !== path) });
      } catch (error) {
        if (!(error instanceof MlflowError) || error.failure === 'unreachable') throw error;
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    async send() {
      state ??= await attachRun(runDirectory, client, destination);
      try {
        await sendLines();
        await sendPostponed();
        return state;
      } catch (error) {
        const isGone = error instanceof MlflowError && error.failure === 'refused' && !isRefusal(error);
        if (!isGone) throw error;
        // The run was deleted, or the server has another store: what there is to do is found out by the next call.
        state = undefined;
        throw runGone(client.server, error);
      }
    },
    async conclude(end) {
      if (status === end.status) return;
      state ??= await attachRun(runDirectory, client, destination);
      await client.updateRun(state.runId, { status: end.status, endTime: end.time });
    },
  };
}
