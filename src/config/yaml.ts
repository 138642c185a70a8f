import {
  type Document,
  isAlias,
  isNode,
  isScalar,
  isSeq,
  isMap as isYamlMap,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { messageOf } from '../errors.ts';
import { anchorCycle, configDocuments, configSyntax, mergeSource } from './errors.ts';
import type { Path } from './tree.ts';

/** A YAML text as values, and where they are in it. */
export interface Parsed {
  value: unknown;
  /** Line of a value, from 1; of one that comes through an alias or a `<<` merge, the line where it is written. */
  lineOf(path: Path): number | null;
}

/**
 * YAML 1.2, of which JSON is a part, with `<<` merges; a repeated key is an error that shows the place.
 *
 * @param shown - the file as messages name it.
 * @throws {TailmixError} CONFIG_SYNTAX, CONFIG_ANCHOR_CYCLE, CONFIG_MERGE
 */
export function parseYaml(text: string, shown: string): Parsed {
  const lines = new LineCounter();
  const documents = text.includes('\n---') || text.includes('\n...') ? parseAllDocuments(text, { merge: true }) : [];
  if (documents.length > 1) throw configDocuments(shown, documents.length);
  const document = parseDocument(text, { lineCounter: lines, merge: true, uniqueKeys: false });
  checkKeys(document, text, shown);
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw configSyntax(shown, problem.message.trimEnd());
  const whereIs = (node: Node): string => `${shown}:${lines.linePos(node.range![0]).line}`;
  checkAliases(document, whereIs);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw configSyntax(shown, messageOf(error));
  }
  const lineOf = (path: Path): number | null => {
    const start = startOf(document, path);
    return start === null ? null : lines.linePos(start).line;
  };
  return { value, lineOf };
}

/** Refuses a key that a map has twice. The parser's own check compares each key with each other, which has no bound. */
function checkKeys(document: Document, text: string, shown: string): void {
  let twice = false;
  visit(document, {
    Map(_, { items }) {
      const keys = items.map(({ key }) => (isScalar(key) ? key.value : key));
      twice = new Set(keys).size < keys.length;
      return twice ? visit.BREAK : undefined;
    },
  });
  const [problem] = twice ? parseDocument(text, { merge: true }).errors : [];
  if (problem) throw configSyntax(shown, problem.message.trimEnd());
}

/** Refuses what has no end, and merges of anything but maps. */
function checkAliases(document: Document, whereIs: (node: Node) => string): void {
  visit(document, {
    Alias(_, alias, ancestors) {
      const target = alias.resolve(document);
      if (ancestors.some((node) => node === target)) throw anchorCycle(whereIs(alias), alias.source);
    },
    Pair(_, { key, value }) {
      if (!isMergeKey(key)) return;
      if (!sourcesOf(value, document).every((source) => isYamlMap(targetOf(source, document)))) {
        throw mergeSource(whereIs(key));
      }
    },
  });
}

/** Offset of the key of a value, or of an entry of a list; null where there is none. */
function startOf(document: Document, path: Path): number | null {
  let node: unknown = document.contents;
  let start: number | undefined;
  for (const key of path) {
    const target = targetOf(node, document);
    if (isYamlMap(target)) {
      const pair = pairOf(target, String(key), document);
      start = isNode(pair?.key) ? pair.key.range?.[0] : undefined;
      node = pair?.value;
    } else if (isSeq(target)) {
      node = target.items[key as number];
      start = isNode(node) ? node.range?.[0] : undefined;
    } else return null;
    if (start === undefined) return null;
  }
  return start ?? null;
}

/** The pair of a key: the map's own, else that of the first map that it merges and that has one. */
function pairOf(map: YAMLMap, key: string, document: Document): Pair | undefined {
  const own = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  if (own !== undefined) return own;
  for (const { value } of map.items.filter((item) => isMergeKey(item.key))) {
    for (const source of sourcesOf(value, document)) {
      const target = targetOf(source, document);
      const pair = isYamlMap(target) ? pairOf(target, key, document) : undefined;
      if (pair !== undefined) return pair;
    }
  }
  return undefined;
}

/** `<<`, which the parser turns into a symbol; one in quotes is a key like any other. */
const isMergeKey = (key: unknown): key is Node => isScalar(key) && typeof key.value === 'symbol';

/** What `<<` merges: a map, or each of a list. */
function sourcesOf(value: unknown, document: Document): unknown[] {
  const target = targetOf(value, document);
  return isSeq(target) ? target.items : [value];
}

/** What an alias stands for; any other node itself. */
const targetOf = (node: unknown, document: Document): unknown => (isAlias(node) ? node.resolve(document) : node);
