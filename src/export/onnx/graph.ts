import { bytesOf } from '../fold-constants.ts';
import type { OnnxNode, OnnxTensor } from './proto.ts';

/** Nodes that take a tensor, by its name. */
export function usersOf(nodes: readonly OnnxNode[]): Map<string, OnnxNode[]> {
  const users = new Map<string, OnnxNode[]>();
  for (const node of nodes) for (const name of node.inputs) users.set(name, [...(users.get(name) ?? []), node]);
  return users;
}

/** Values of a constant of float32. */
export const floatsOf = ({ data }: OnnxTensor): Float32Array => new Float32Array(bytesOf(data).buffer);
