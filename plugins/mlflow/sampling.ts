import type { Figures } from 'tailmix/tracking';
import type { MlflowOptions } from './options.ts';
import { systemMeter } from './system.ts';

const USUAL_SECONDS = 10;

/** Seconds between samples, as the options say, or MLflow's own variables; 0 for none. */
export function samplingSeconds({ system }: Pick<MlflowOptions, 'system'>, env: NodeJS.ProcessEnv): number {
  if (system !== undefined) return system;
  const isAsked = /^(true|1)$/i.test(env.MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING ?? '');
  if (!isAsked) return 0;
  const seconds = Number(env.MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL);
  return seconds > 0 && Number.isFinite(seconds) ? seconds : USUAL_SECONDS;
}

/** Calls `record` with a sample every so many seconds (0: never) until the returned function is called. Never keeps the process alive. */
export function startSampling(directory: string, seconds: number, record: (figures: Figures) => void): () => void {
  if (seconds === 0) return () => {};
  const sample = systemMeter(directory);
  let isRunning = true;
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void sample().then((figures) => {
      isBusy = false;
      if (isRunning) record(figures);
    });
  }, 1000 * seconds);
  timer.unref();
  return () => {
    isRunning = false;
    clearInterval(timer);
  };
}
