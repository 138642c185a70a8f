// Checks the order of the rooms and draws them, and the loop: npm run rooms [-- --check]
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { instance } from '@viz-js/viz';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { rooms, ruleSet } from './rules.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
process.chdir(root);
const isCheck = process.argv.includes('--check');

const { output } = await cruise(
  ['src', 'plugins'],
  { ruleSet, validate: true, tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
  { conditionNames: ['tailmix-source', 'import', 'node', 'default'], exportsFields: ['exports'] },
  { tsConfig: extractTSConfig('tsconfig.json') },
);
const { violations } = output.summary;
for (const { from, to, rule } of violations) {
  const { comment } = ruleSet.forbidden.find(({ name }) => name === rule.name);
  console.error(`${from} imports ${to}: ${comment} (docs/architecture.md)`);
}

const viz = await instance();
const pictures = {
  'docs/images/rooms.svg': roomsGraph(output.modules),
  'docs/images/loop.svg': readFileSync('docs/rooms/loop.dot', 'utf8'),
};
const stale = Object.entries(pictures).filter(([file, graph]) => {
  const svg = viz.renderString(graph, { format: 'svg' });
  if (existsSync(file) && readFileSync(file, 'utf8') === svg) return false;
  if (!isCheck) writeFileSync(file, svg);
  return true;
});
if (isCheck) for (const [file] of stale) console.error(`${file} does not show what is there: run npm run rooms`);
process.exitCode = violations.length > 0 || (isCheck && stale.length > 0) ? 1 : 0;

/** A box for each room, and an arrow where it imports values of another one. */
function roomsGraph(modules) {
  const roomOf = (path) => {
    const [first, second] = path.split('/');
    if (first === 'plugins') return first;
    return second === 'index.ts' ? 'tailmix' : second;
  };
  const drawn = new Set([...Object.keys(rooms).filter((room) => room !== 'util'), 'plugins', 'tailmix']);
  // Types cost nothing, and what is imported on demand is the user's or heavy.
  const hidden = ['type-only', 'dynamic-import'];
  const arrows = new Map();
  for (const { source, dependencies } of modules)
    for (const { resolved, dependencyTypes } of dependencies) {
      const [from, to] = [roomOf(source), roomOf(resolved)];
      if (from === to || !drawn.has(from) || !drawn.has(to) || hidden.some((type) => dependencyTypes.includes(type)))
        continue;
      const arrow = `"${from}" -> "${to}"`;
      arrows.set(arrow, (arrows.get(arrow) ?? 0) + 1);
    }
  const boxes = [...drawn]
    .filter((name) => name in rooms)
    .map((name) => `"${name}" [label=<<b>${name}</b><br/>${rooms[name]}>]`);
  const lines = [...arrows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([arrow, count]) => {
      const style = arrow.startsWith('"tailmix"') ? 'style=dotted, ' : '';
      return `${arrow} [${style}penwidth=${(0.6 + Math.log2(count) / 3).toFixed(2)}, tooltip="${count} imports"]`;
    });
  return `digraph rooms {
    rankdir=TB; ranksep=0.5; nodesep=0.3; bgcolor=white
    node [shape=box, style="rounded,filled", fillcolor="#eef4fb", color="#5b7ea6", fontname="Helvetica,Arial,sans-serif", fontsize=11, margin="0.34,0.07"]
    edge [color="#5b7ea699", arrowsize=0.6]
    "plugins" [label=<<b>plugins/</b><br/>one folder each>, fillcolor="#fdf3e1", color="#b98a2f"]
    "tailmix" [label=<<b>index.ts</b><br/>what plugins and users import>, fillcolor="#fdf3e1", color="#b98a2f"]
    ${[...boxes, ...lines].join('\n')}
  }`;
}
