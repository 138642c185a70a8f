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
  const script = join(import.meta.dirname, 'read_runs.py');
  const { code, stdout, stderr } = await runCommand([installed.python, script, url, name], {
    env: { ...withoutMlflow(process.env), MLFLOW_DISABLE_TELEMETRY: 'true', ...env },
  });
  if (code !== 0) throw new Error(`read_runs.py: ${stderr}`);
  return JSON.parse(stdout);
}
