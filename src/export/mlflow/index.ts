import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { packageRoot } from '../../package-root.ts';
import type { Classifier } from '../classifier.ts';
import type { ExportedFile } from '../files.ts';
import { photoGeometry } from '../geometry.ts';

/** The file by which MLflow knows a model. */
export const MLMODEL = 'MLmodel';

/** What the model is loaded with: the versions it was tried with. `onnx` is for `mlflow.onnx` alone. */
export const pinned = {
  python: '3.11',
  mlflow: '3.17.2',
  numpy: '2.4.6',
  onnx: '1.23.2',
  onnxruntime: '1.32.0',
  pandas: '3.1.1',
  pillow: '13.0.0',
} as const;

const LOADER = 'tailmix_model';

/**
 * What makes an exported `model.onnx` and `photo.onnx` a model that `mlflow.pyfunc.load_model` opens: `MLmodel` with signature,
 * the loader, an example of its input, and pinned requirements. `mlflow.onnx.load_model` opens it too.
 */
export async function mlflowFiles({ imageShape, classes, about, ...sizes }: Classifier): Promise<ExportedFile[]> {
  const isOfPhotos = photoGeometry({ imageShape, ...sizes }) !== null;
  const { python, onnx, ...packages } = pinned;
  const requirements = Object.entries(packages).map(([name, version]) => `${name}==${version}`);
  const environment = {
    python,
    build_dependencies: ['pip', 'setuptools', 'wheel'],
    dependencies: ['-r requirements.txt'],
  };
  const conda = {
    name: 'mlflow-env',
    channels: ['conda-forge'],
    dependencies: [`python=${python}`, 'pip', { pip: requirements }],
  };
  const example = isOfPhotos ? await exampleTable(imageShape) : exampleArray(imageShape);
  const model = {
    flavors: {
      onnx: { code: null, data: 'model.onnx', onnx_version: onnx, providers: ['CPUExecutionProvider'] },
      python_function: {
        loader_module: LOADER,
        code: '.',
        env: { conda: 'conda.yaml', virtualenv: 'python_env.yaml' },
        python_version: python,
      },
    },
    metadata: { classes, run: about.name, dataset: about.dataset, epoch: about.epoch, tailmix: about.tailmix },
    mlflow_version: packages.mlflow,
    saved_input_example_info: {
      artifact_path: 'input_example.json',
      serving_input_path: 'serving_input_example.json',
      ...example.info,
    },
    signature: {
      inputs: JSON.stringify(isOfPhotos ? [column('image', 'binary')] : [tensor(imageShape)]),
      outputs: JSON.stringify([
        column('class', 'string'),
        column('probability', 'double'),
        { ...column('probabilities', 'array'), items: { type: 'double' } },
      ]),
      params: null,
    },
  };
  return [
    { path: MLMODEL, content: stringify(model) },
    { path: `${LOADER}.py`, content: await readFile(join(packageRoot, 'src/export/mlflow', `${LOADER}.py`), 'utf8') },
    { path: 'requirements.txt', content: requirements.map((line) => `${line}\n`).join('') },
    { path: 'conda.yaml', content: stringify(conda) },
    { path: 'python_env.yaml', content: stringify(environment) },
    { path: 'input_example.json', content: JSON.stringify(example.input) },
    { path: 'serving_input_example.json', content: JSON.stringify(example.serving) },
  ];
}

const column = (name: string, type: string) => ({ type, name, required: true });

const tensor = (shape: readonly number[]) => ({
  type: 'tensor',
  'tensor-spec': { dtype: 'uint8', shape: [-1, ...shape] },
});

/** A grey photo as a row of a table. */
async function exampleTable([height, width]: Classifier['imageShape']) {
  const { default: sharp } = await import('sharp');
  const photo = sharp({ create: { width, height, channels: 3, background: '#808080' } });
  const table = { columns: ['image'], data: [[(await photo.png().toBuffer()).toString('base64')]] };
  return {
    info: { type: 'dataframe', pandas_orient: 'split' },
    input: table,
    serving: { dataframe_split: table },
  };
}

/** An array of one grey image. */
function exampleArray([height, width, channels]: Classifier['imageShape']) {
  const filled = <T>(length: number, value: T): T[] => new Array<T>(length).fill(value);
  const inputs = [filled(height, filled(width, filled(channels, 128)))];
  return { info: { type: 'ndarray', format: 'tf-serving' }, input: { inputs }, serving: { inputs } };
}
