// Ops of TensorFlow on a device against what TensorFlow computed of them on the processor of the machine that packed them. Prints JSON.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { openRecordings } from '../../dist/src/graph/index.js';
import { chooseDevice, openProgram } from '../../dist/src/pjrt/index.js';

const [folder] = process.argv.slice(2);
const { programs } = await openRecordings(join(folder, 'ops.recording'));
const { inputs, ops } = JSON.parse(readFileSync(join(folder, 'ops.json'), 'utf8'));
const device = chooseDevice('pjrt');
const fed = Object.fromEntries(
  Object.entries(inputs).map(([name, array]) => [
    name,
    name === 'n' ? Int32Array.from(array) : Float32Array.from(array),
  ]),
);
/** Within this relative L2 distance, and not finite in the same places. */
const WITHIN = 1e-5;

function distance(got, expected) {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [apart, norm] = [0, 0];
  for (const [i, value] of expected.map(Number).entries()) {
    if (!Number.isFinite(value) || !Number.isFinite(got[i])) {
      if (!Object.is(value, got[i])) return Number.POSITIVE_INFINITY;
      continue;
    }
    apart += (got[i] - value) ** 2;
    norm += value ** 2;
  }
  return norm === 0 ? Math.sqrt(apart) : Math.sqrt(apart / norm);
}

const results = ops.map(({ name, expected }, i) => {
  const [{ signature }] = programs[i];
  const program = { functions: {}, state: {}, signatures: [signature] };
  try {
    const opened = openProgram(program, {}, device, { recorded: programs[i] });
    const outputs = opened.run(signature, fed);
    opened.dispose();
    return {
      name,
      distance: Math.max(...Object.entries(expected).map(([key, array]) => distance(outputs[key], array))),
    };
  } catch (error) {
    return { name, code: error.code ?? null, error: error.message };
  }
});
const computed = results.filter((result) => 'distance' in result);
const refused = results.filter(({ code }) => code === 'PJRT_OP').map(({ name }) => name);
const wrong = results.filter(
  (result) => (result.distance ?? 0) > WITHIN || ('code' in result && result.code !== 'PJRT_OP'),
);
process.stdout.write(
  JSON.stringify({
    cases: results.length,
    right: computed.length - wrong.filter((result) => 'distance' in result).length,
    refused,
    wrong,
    worst: Math.max(...computed.filter(({ distance }) => distance <= WITHIN).map(({ distance }) => distance)),
    within: WITHIN,
  }),
);
