// The order of the rooms: an import goes from a room to one below it, never up. `npm run rooms` checks it.

/** Rooms of src/, from top to bottom, with what each does. */
export const rooms = {
  cli: 'the commands',
  bench: 'what tailmix bench measures',
  sweep: 'a grid of runs',
  report: 'runs → tables, charts, a page',
  export: 'a trained run → SavedModel, tfjs, ONNX',
  trained: 'opens a trained run',
  config: 'files, --set, environment → config',
  train: 'the loop',
  compose: 'plugins → one composition',
  step: 'one training step',
  cluster: 'one run on several processes',
  pjrt: 'recordings on GPUs, by PJRT',
  graph: 'tensor code → TensorFlow graph',
  tracking: 'run directory, checkpoints, MLflow',
  models: 'networks',
  data: 'files → batches',
  metrics: 'predictions → metrics',
  'long-tail': 'class prior, class weights',
  backend: 'which TensorFlow runs; kernels',
  weights: 'published weights: safetensors, PyTorch',
  download: 'downloads that resume',
  util: 'helpers of no room',
};

const names = Object.keys(rooms);
const anyOf = (list) => `^src/(${list.join('|')})/`;
const files = (list) => `^src/(${list.join('|')})\\.ts$`;

/** Below every room: they import nothing of src/ but each other. */
const base = ['errors', 'random', 'tf', 'version'];
/** What a plugin is written against. Rooms give it types; it holds no code of theirs. */
const contract = ['hooks', 'build-hooks', 'plugin', 'adaptation', 'row-groups', 'prepare', 'run'];
/** Rooms that know of no plugin. */
const unaware = ['pjrt', 'graph', 'data', 'metrics', 'long-tail', 'backend', 'weights', 'download', 'util'];

const values = { dependencyTypesNot: ['type-only'] };
const rule = (name, from, to, comment) => ({ name, severity: 'error', from: { path: from }, to, comment });

/** Rules for dependency-cruiser. */
export const ruleSet = {
  forbidden: [
    ...names
      .slice(1)
      .map((room, index) =>
        rule(
          `up-from-${room}`,
          `^src/${room}/`,
          { path: anyOf(names.slice(0, index + 1)) },
          `src/${room}/ is below that room`,
        ),
      ),
    rule('base', files(base), { path: '^src/', pathNot: files(base) }, 'it is below every room'),
    rule(
      'contract',
      files(contract),
      { path: '^src/', pathNot: [files([...base, ...contract]), '^src/util/'], ...values },
      'the contract imports types only',
    ),
    rule('unaware', anyOf(unaware), { path: files(contract) }, 'that room knows of no plugin'),
    rule(
      'front-door',
      '^src/',
      // A user's script is given the running copy of the package.
      { path: '^src/index\\.ts$', dependencyTypesNot: ['dynamic-import'] },
      'src/index.ts is the door for what lies outside',
    ),
    rule(
      'graph-door',
      '^src/(?!graph/)',
      // Eager steps check op by op, without the recorder; devices run what is recorded themselves.
      {
        path: '^src/graph/',
        pathNot: ['^src/graph/index\\.ts$', '^src/graph/(check|errors|keeps|recorded-calls|state)\\.ts$'],
        ...values,
      },
      'src/graph/ is used through its index.ts',
    ),
    // It knows the built-in plugins, as the command line does.
    rule(
      'predict-door',
      '^src/(?!cli/)',
      { path: '^src/predict\\.ts$', dependencyTypesNot: ['dynamic-import'] },
      'src/predict.ts is the door for what lies outside',
    ),
    rule('core', '^src/(?!cli/|predict\\.ts$)', { path: '^plugins/' }, 'core names no plugin'),
    // Without it, a resolver that finds nothing would find no fault. The files of tfjs-node are required by it, not here.
    rule('unresolved', '', { couldNotResolve: true, pathNot: '^\\./dist/' }, 'there is no such file'),
  ],
};
