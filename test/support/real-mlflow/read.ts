import { join } from 'node:path';
import process from 'node:process';
import { runCommand } from '../../../src/backend/run-command.ts';
import { installed } from './install.ts';
import { withoutMlflow } from './server.ts';

/** Step, value (a text where JSON has no number for it) and milliseconds since 1970. */
type Point = [step: number, value: number | string, timestamp: number];

/** A logged model as MLflow's Python client has it. */
interface ReadModel {
  name: string;
  step: number;
  status: string;
  type: string;
  params: Record<string, string>;
  tags: Record<string, string>;
  metrics: [key: string, step: number, value: number | string][];
  artifacts: Record<string, string>;
}

/** A run as MLflow's Python client has it. */
export interface ReadRun {
  runId: string;
  name: string;
  status: string;
  startTime: number;
  endTime: number | null;
  /** Histories, by step. */
  metrics: Record<string, Point[]>;
  latest: Record<string, number | string>;
  params: Record<string, string>;
  tags: Record<string, string>;
  datasets: Record<'name' | 'digest' | 'sourceType' | 'source' | 'schema' | 'profile' | 'context', string | null>[];
  models: ReadModel[];
  /** SHA-256 by path. */
  artifacts: Record<string, string>;
}

/** Every run of an experiment, the oldest first, read with MLflow's own Python client. */
export async function readExperiment(
  { url, env = {} }: { url: string; env?: Record<string, string> },
  name: string,
): Promise<{ experiment: { id: string; tags: Record<string, string> }; runs: ReadRun[] }> {
  return runPython('read_runs.py', [url, name], env);
}

/** What a model that is loaded in MLflow says of a photo: class, its probability, and those of all classes. */
export type Said = [top: string, probability: number, probabilities: number[]];

/** The newest model of an experiment, loaded and asked about photos in the ways that MLflow has; see `use_model.py`. */
export const useModel = (
  url: string,
  experiment: string,
  photos: readonly string[],
): Promise<{
  logged: Said[];
  registered: Said[];
  served: { found: Said[]; example: number; refused: string };
  onnx: string[];
  classes: string[];
  signature: string;
  refused: string;
  metrics: [dataset: string, digest: number][];
}> => runPython('use_model.py', [url, experiment, ...photos]);

/** Runs a script beside this file with the tests' Python, and reads what it prints. */
export async function runPython<T>(
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<T> {
  const { code, stdout, stderr } = await runCommand([installed.python, join(import.meta.dirname, script), ...args], {
    env: {
      ...withoutMlflow(process.env),
      PATH: `${installed.programs}:${process.env.PATH}`,
      MLFLOW_DISABLE_TELEMETRY: 'true',
      ...env,
    },
  });
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  return JSON.parse(stdout);
}
