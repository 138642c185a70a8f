import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { installed } from '../support/real-mlflow/install.ts';
import { readExperiment } from '../support/real-mlflow/read.ts';
import { hasMlflow } from '../support/real-mlflow/server.ts';
import { spooledRun, spoolOf } from '../support/spooled-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, start, tailmix } from './run.ts';

afterEach(() => void vi.unstubAllEnvs());

const withMlflow = `${installed.programs}${delimiter}${process.env.PATH}`;

describe('tailmix mlflow ui', () => {
  it('says how to install MLflow where there is none', async () => {
    const folder = await temporaryFolder();
    await spooledRun(join(folder, 'run'));
    vi.stubEnv('PATH', folder);
    expect(await tailmix(folder, 'mlflow', 'ui', '.')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "mlflow ui: expected MLflow, which is a Python program; there is neither \`mlflow\` in PATH nor a Python that has it.
        Install it:  python3 -m venv ~/mlflow && ~/mlflow/bin/pip install mlflow==3.17.2 && export PATH=~/mlflow/bin:$PATH
        or write the runs for an MLflow elsewhere:  tailmix mlflow export RUN --mlruns DIR
      ",
        "stdout": "",
      }
    `);
  });

  it('refuses a folder without runs, and a port that is no port', async () => {
    const folder = await temporaryFolder();
    const { code, stderr } = await tailmix(folder, 'mlflow', 'ui', '.');
    expect({ code, stderr: stderr.replace(folder, '…') }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "…: expected mlflow/spool.jsonl, which a run with the plugin \`mlflow\` writes; there is none. Point at the directory of such a run.
      ",
      }
    `);
    expect(await tailmix(folder, 'mlflow', 'ui', '.', '--port', '0')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: option '--port <number>' argument '0' is invalid. Expected 1 to 65535.
      (tailmix mlflow ui --help describes its options, with an example)
      ",
        "stdout": "",
      }
    `);
  });

  describe.skipIf(!hasMlflow('`tailmix mlflow ui` starts no server'))('with MLflow', () => {
    it('shows runs, and what they write while it is on; the store stays', async () => {
      const folder = await temporaryFolder();
      await spooledRun(join(folder, 'first'));
      vi.stubEnv('PATH', withMlflow);
      vi.stubEnv('MLFLOW_TRACKING_URI', 'http://127.0.0.1:9');
      const begin = async () => {
        const command = start(folder, 'mlflow', 'ui', '.');
        onTestFinished(() => void command.kill('SIGKILL'));
        const end = ended(command);
        let said = '';
        command.stdout!.on('data', (text) => (said += text));
        const url = await vi.waitFor(() => {
          expect(command.exitCode).toBeNull();
          expect(said).toContain('Ctrl-C');
          return /^(\S+) {2}\(Ctrl-C/m.exec(said)![1]!;
        }, 170_000);
        return { command, end, url };
      };
      const server = await begin();
      const names = async ({ url }: { url: string }) =>
        (await readExperiment({ url }, 'digits')).runs.map(({ name, status }) => `${name}: ${status}`).sort();
      expect(await names(server)).toEqual(['Remix seed 0: FINISHED']);

      await spooledRun(join(folder, 'second'), { uid: 'u-2', name: 'ERM seed 0', time: 2000 });
      const again = spoolOf(join(folder, 'first'));
      again.metrics(2, { 'train/loss': 0.25 }, 3000);
      again.close();
      await vi.waitFor(
        async () => {
          const { runs } = await readExperiment(server, 'digits');
          expect(runs.map(({ metrics }) => metrics['train/loss'])).toEqual([
            [
              [1, 0.5, 2000],
              [2, 0.25, 3000],
            ],
            [[1, 0.5, 2000]],
          ]);
        },
        { timeout: 60_000, interval: 1000 },
      );
      server.command.kill('SIGINT');
      expect(await server.end).toMatchObject({ code: 0 });
      expect(await fetch(server.url).catch(() => 'gone')).toBe('gone');

      const other = await begin();
      expect(await names(other)).toEqual(['ERM seed 0: FINISHED', 'Remix seed 0: FINISHED']);
      other.command.kill('SIGTERM');
      expect(await other.end).toMatchObject({ code: 0 });
    }, 400_000);

    it('refuses a port that is in use, and shows why MLflow does not start', async () => {
      const folder = await temporaryFolder();
      await spooledRun(join(folder, 'run'));
      vi.stubEnv('PATH', withMlflow);
      const taken = createServer().listen(0, '127.0.0.1');
      onTestFinished(() => void taken.close());
      await vi.waitFor(() => expect(taken.listening).toBe(true));
      const { port } = taken.address() as AddressInfo;
      const refused = await tailmix(folder, 'mlflow', 'ui', '.', '--port', String(port));
      expect({ ...refused, stderr: refused.stderr.replaceAll(String(port), 'PORT') }).toMatchInlineSnapshot(`
        {
          "code": 2,
          "stderr": "MLflow starts over .mlflow; the first time it makes its tables, which takes a while.
        mlflow ui: expected to listen on port PORT, which is in use. Choose another with --port.
        ",
          "stdout": "",
        }
      `);

      const programs = await temporaryFolder();
      await writeFile(join(programs, 'mlflow'), '#!/bin/sh\necho no such table >&2\nexit 3\n', { mode: 0o755 });
      vi.stubEnv('PATH', programs);
      const broken = await tailmix(folder, 'mlflow', 'ui', '.');
      expect({
        ...broken,
        stderr: broken.stderr.replaceAll(folder, '…').replace(/server-\d+/, 'server-PORT'),
      }).toMatchInlineSnapshot(`
        {
          "code": 1,
          "stderr": "MLflow starts over .mlflow; the first time it makes its tables, which takes a while.
        mlflow ui: expected MLflow's server to start; it ended with 3 (no such table). See …/.mlflow/server-PORT.log.
        ",
          "stdout": "",
        }
      `);
    }, 60_000);
  });
});
