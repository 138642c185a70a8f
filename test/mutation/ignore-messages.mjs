const SAYS = new Set(['TailmixError', 'internal', 'warn', 'describe', 'wrong']);

const nameOf = ({ name, property }) => name ?? property?.name;

/** Words for people are held by snapshots, not by mutants. */
const messages = {
  shouldIgnore(path) {
    if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined;
    const call = path.findParent((parent) => parent.isCallExpression() || parent.isNewExpression());
    return call && SAYS.has(nameOf(call.node.callee)) ? 'words of a message' : undefined;
  },
};

export const strykerPlugins = [{ kind: 'Ignore', name: 'messages', value: messages }];
