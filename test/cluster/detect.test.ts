import { expect, test } from 'vitest';
import { checkNetwork, detectMembership } from '../../src/cluster/detect.ts';
import { messageOfError } from '../support/message.ts';

const none = () => [];
const tfConfig = (task: object, cluster: object = { chief: ['a:1'], worker: ['b:1', 'c:1'] }) => ({
  TF_CONFIG: JSON.stringify({ cluster, task }),
});
const slurm = {
  SLURM_STEP_NUM_TASKS: '3',
  SLURM_PROCID: '2',
  SLURM_JOB_ID: '2501',
  SLURM_STEP_NODELIST: 'n[1-2]',
  SLURM_STEP_TASKS_PER_NODE: '2,1',
};

test('which process this is: flags, then TF_CONFIG, Slurm, Open MPI', () => {
  const of = (env: NodeJS.ProcessEnv, flags = {}) => detectMembership(flags, env, () => ['n1', 'n2']);
  const everything = { ...tfConfig({ type: 'worker', index: 1 }), ...slurm, OMPI_COMM_WORLD_SIZE: '2' };
  expect(of(everything, { workers: 'x:1, y:2', worker: '1' })).toEqual({
    rank: 1,
    addresses: ['x:1', 'y:2'],
    from: '--workers',
  });
  expect(of(everything)).toEqual({ rank: 2, addresses: ['a:1', 'b:1', 'c:1'], from: 'TF_CONFIG' });
  expect(of(tfConfig({ type: 'chief', index: 0 }))).toMatchObject({ rank: 0 });
  expect(of(slurm)).toEqual({ rank: 2, addresses: ['n1:20016', 'n1:20017', 'n2:20016'], from: 'SLURM_*' });
  expect(of({ ...slurm, SLURM_STEP_TASKS_PER_NODE: '1(x2)', SLURM_PROCID: '1', TAILMIX_PORT: '4000' })).toMatchObject({
    rank: 1,
    addresses: ['n1:4000', 'n2:4000'],
  });
  const openMpi = { OMPI_COMM_WORLD_SIZE: '2', OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_LOCAL_SIZE: '2' };
  expect(of(openMpi)).toEqual({ rank: 1, addresses: ['127.0.0.1:20000', '127.0.0.1:20001'], from: 'OMPI_*' });
});

test('what makes no sense is refused', async () => {
  const message = (env: NodeJS.ProcessEnv, flags = {}) => messageOfError(() => detectMembership(flags, env, none));
  expect(
    [
      await message({}, { workers: 'a:1,b:1' }),
      await message({}, { workers: 'a:1,b', worker: '0' }),
      await message({}, { workers: 'a:1,a:1', worker: '0' }),
      await message({}, { workers: 'a:1', worker: '0' }),
      await message({}, { workers: 'a:1,b:1', worker: '2' }),
      await message({ TF_CONFIG: '{' }),
      await message(tfConfig({ type: 'worker', index: 0 }, { worker: ['a:1'], ps: ['b:1'] })),
      await message(tfConfig({ type: 'evaluator', index: 0 })),
      await message({ OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_LOCAL_SIZE: '2' }),
      await message({}),
      await message({ SLURM_NTASKS: '2' }),
    ].join('\n'),
  ).toMatchInlineSnapshot(`
    "--cluster: expected both --workers and --worker, got one of them.
    --cluster: expected addresses host:port in --workers, got "b".
    --cluster: expected an address for each process in --workers, got a:1 twice.
    --cluster: expected two processes or more in --workers, got 1.
    --cluster: expected a rank from 0 to 1 in --workers, got 2.
    --cluster: expected JSON in TF_CONFIG, got "{".
    --cluster: expected workers alone in TF_CONFIG, got parameter servers (ps).
    --cluster: expected a chief or a worker in TF_CONFIG, got "evaluator".
    --cluster: expected all processes of mpirun on one machine, got several (it does not say which); use --workers and --worker.
    --cluster: expected --workers and --worker, or to be started by srun, mpirun or Kubeflow (TF_CONFIG); nothing says which process this is.
      To try it on this machine, use --cluster --local 2.
    --cluster: expected --workers and --worker, or to be started by srun, mpirun or Kubeflow (TF_CONFIG); nothing says which process this is.
      This is a batch script of Slurm: put srun before the command."
  `);
});

test('a machine with a public address is refused', async () => {
  const on = (address: string, internal = false) => ({
    eth0: [{ address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null }],
  });
  for (const address of [
    '10.1.2.3',
    '172.16.0.1',
    '172.31.9.9',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.1.1',
    'fd00::1',
    'fe80::1',
  ])
    expect(() => checkNetwork(false, on(address) as never), address).not.toThrow();
  expect(() => checkNetwork(false, on('8.8.8.8', true) as never)).not.toThrow();
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '11.0.0.1', '2001:4860::1'])
    expect(() => checkNetwork(false, on(address) as never), address).toThrow('--open-network');
  expect(await messageOfError(() => checkNetwork(true, on('8.8.8.8') as never))).toMatchInlineSnapshot(`
    "--cluster: expected a machine in a private network; its interface eth0 has the address 8.8.8.8. TensorFlow's server listens on all interfaces, asks for no password, and runs whatever is sent to it.
      One process gives the same bits at about the same speed: leave out --cluster --local, train.replicas stays. If a firewall keeps its ports from others, say so: --open-network."
  `);
  expect(await messageOfError(() => checkNetwork(false, on('8.8.8.8') as never))).toMatchInlineSnapshot(`
    "--cluster: expected a machine in a private network; its interface eth0 has the address 8.8.8.8. TensorFlow's server listens on all interfaces, asks for no password, and runs whatever is sent to it.
      If a firewall keeps its ports from others, say so: --open-network."
  `);
});
