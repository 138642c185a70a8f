import type { OpNode } from './recording.ts';
import type { RuleInput } from './shape-rules.ts';
import type { ShapeInference } from './shapes.ts';

/** Whether TensorFlow can run an op, with its attributes, on this machine. */
export type OpTrial = (node: OpNode, inputs: readonly RuleInput[]) => boolean;

/** Tries each op once, on zeros: a kernel exists for a type or does not. */
export function createOpTrial(shapes: ShapeInference): OpTrial {
  const known = new Map<string, boolean>();
  return ({ op, attributes, outputs }, inputs) => {
    const before = known.get(op);
    if (before !== undefined) return before;
    let runs = true;
    try {
      shapes.execute(op, attributes, inputs, outputs.length);
    } catch {
      runs = false;
    }
    known.set(op, runs);
    return runs;
  };
}
