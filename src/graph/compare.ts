import { attributeVaries, opsVary, type Place, valueVaries } from './errors.ts';
import { type ConstantNode, DT, type OpNode, opOf, type RecordedNode, type Recording } from './recording.ts';

/**
 * Two recordings of one function must be the same graph: what differs came from the host and would be frozen.
 *
 * @throws {CaptureError} naming the first value, attribute or op that differs, what it feeds, and who was building.
 */
export function expectSame(call: string, first: Recording, second: Recording): void {
  const length = Math.max(first.nodes.length, second.nodes.length);
  for (let index = 0; index < length; index++) {
    const a = first.nodes[index];
    const b = second.nodes[index];
    const place: Place = { call, owner: a?.owner ?? b?.owner };
    if (a === undefined || b === undefined || !sameOp(a, b)) throw opsVary(place, index, describe(a), describe(b));
    if (a.kind === 'op') compareAttributes(place, a, b as OpNode);
    if (a.kind === 'constant') compareConstants(place, first, index, a, b as ConstantNode);
  }
  for (const part of ['outputs', 'state'] as const) {
    const [one, other] = [JSON.stringify(first[part]), JSON.stringify(second[part])];
    if (one !== other) throw opsVary({ call }, length, `${part} ${one}`, `${part} ${other}`);
  }
}

const describe = (node: RecordedNode | undefined): string =>
  node === undefined ? 'none' : `${opOf(node)} [${node.outputs.map(({ shape }) => shape.join(', ')).join('], [')}]`;

function sameOp(a: RecordedNode, b: RecordedNode): boolean {
  if (opOf(a) !== opOf(b) || JSON.stringify(a.outputs) !== JSON.stringify(b.outputs)) return false;
  return a.kind !== 'op' || JSON.stringify(a.inputs) === JSON.stringify((b as OpNode).inputs);
}

function compareAttributes(place: Place, a: OpNode, b: OpNode): void {
  for (const name of new Set([...Object.keys(a.attributes), ...Object.keys(b.attributes)])) {
    const [one, other] = [a, b].map(({ attributes }) => JSON.stringify(attributes[name]?.value));
    if (one !== other) throw attributeVaries(place, a.op, name, String(one), String(other));
  }
}

function compareConstants(place: Place, recording: Recording, index: number, a: ConstantNode, b: ConstantNode): void {
  if (sameValue(a.value, b.value)) return;
  const [one, other] = [a, b].map(elements);
  const at = one!.findIndex((value, position) => !Object.is(value, other![position]));
  const consumer = recording.nodes.find(
    (node): node is OpNode => node.kind === 'op' && node.inputs.some((input) => input.node === index),
  );
  throw valueVaries(place, a.outputs[0]!, consumer?.op ?? 'a result', at, short(one![at]!), short(other![at]!));
}

function sameValue(a: ConstantNode['value'], b: ConstantNode['value']): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  }
  return a.length === b.length && a.every((text, index) => Buffer.compare(text, b[index]!) === 0);
}

const short = (value: number | string): string =>
  typeof value === 'string' ? JSON.stringify(value) : String(Number(value.toPrecision(7)));

function elements({ value, outputs }: ConstantNode): readonly (number | string)[] {
  if (!(value instanceof Uint8Array)) return value.map((bytes) => Buffer.from(bytes).toString('utf8'));
  const { dtype } = outputs[0]!;
  if (dtype === DT.float32) return [...new Float32Array(value.buffer)];
  if (dtype === DT.int32) return [...new Int32Array(value.buffer)];
  return [...value];
}
