import { resolve } from 'node:path';
import process from 'node:process';
import ts from 'typescript';

/** What an editor shows of a name. */
export interface Hover {
  text: string;
  /** Text of each tag, by its name. */
  tags: Record<string, string[]>;
}

/** TypeScript's language service over one file that need not exist; by default in the root of this package. */
export function openEditor(
  text: string,
  { file = resolve('editor.ts'), ...changed }: { file?: string } & ts.CompilerOptions = {},
) {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const host = { ...ts.sys, readDirectory: () => [file] };
  const options = { ...ts.parseJsonConfigFileContent(config, host, process.cwd()).options, ...changed };
  const read = (path: string): string | undefined => (path === file ? text : ts.sys.readFile(path));
  const service = ts.createLanguageService({
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot: (path) => {
      const found = read(path);
      return found === undefined ? undefined : ts.ScriptSnapshot.fromString(found);
    },
    getCurrentDirectory: () => process.cwd(),
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (path) => path === file || ts.sys.fileExists(path),
    readFile: read,
    directoryExists: ts.sys.directoryExists,
    useCaseSensitiveFileNames: () => ts.sys.useCaseSensitiveFileNames,
  });
  return {
    /** Documentation of the name at a position of the text. */
    hover(position: number): Hover {
      const found = service.getQuickInfoAtPosition(file, position);
      const tags: Hover['tags'] = {};
      for (const { name, text: parts } of found?.tags ?? []) {
        tags[name] = [...(tags[name] ?? []), ts.displayPartsToString(parts)];
      }
      return { text: ts.displayPartsToString(found?.documentation), tags };
    },
    /** What does not compile, in words. */
    errors: (): string[] =>
      [...service.getSyntacticDiagnostics(file), ...service.getSemanticDiagnostics(file)].map(({ messageText }) =>
        ts.flattenDiagnosticMessageText(messageText, '\n'),
      ),
  };
}

/** The code blocks of a language in a text. */
export const codeBlocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, code]) => code!);
