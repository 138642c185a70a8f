import type { Command, Option } from 'commander';

/** Shells that a script can be made for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A command as a completion sees it. */
interface Completed {
  /** `data info`; empty for tailmix itself. */
  path: string;
  description: string;
  /** Names of the commands below it. */
  commands: string[];
  options: readonly Option[];
  /** What its argument may be, where that is one of a few words. */
  words: readonly string[];
}

/** A script that completes commands, options and what an option may be; anything else is a file. */
export function completionScript(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](commandsBelow(program, []));
}

function commandsBelow(command: Command, path: readonly string[]): Completed[] {
  const own: Completed = {
    path: path.join(' '),
    description: command.description(),
    commands: command.commands.map((below) => below.name()),
    options: [...command.options, ...command.createHelp().visibleOptions(command).slice(-1)],
    words: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  };
  return [own, ...command.commands.flatMap((below) => commandsBelow(below, [...path, below.name()]))];
}

const longOf = ({ options }: Completed): string[] => [...new Set(options.flatMap(({ long }) => (long ? [long] : [])))];

/** Options that take one of a few words, as `path --option`. */
const choicesOf = (all: readonly Completed[]): { place: string; words: readonly string[] }[] =>
  all.flatMap(({ path, options }) =>
    options.flatMap(({ long, argChoices }) => (argChoices ? [{ place: `${path} ${long}`, words: argChoices }] : [])),
  );

/** Case branches that bash and zsh share: which command a word leads to. */
const pathsOf = (all: readonly Completed[]): string =>
  all
    .filter(({ path }) => path !== '')
    .map(({ path }) => `"${path.includes(' ') ? path : ` ${path}`}"`)
    .join('|');

const bash = (
  all: readonly Completed[],
): string => `# tailmix completion bash, for ~/.bashrc: source <(tailmix completion bash)
_tailmix() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$command $word" in ${pathsOf(all)}) command="\${command:+$command }$word";; esac
  done
  case "$command $previous" in
${choicesOf(all)
  .map(({ place, words }) => `    "${place}") COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur")); return;;`)
  .join('\n')}
  esac
  case "$command" in
${all
  .map((one) => `    "${one.path}") words="${[...one.commands, ...one.words, ...longOf(one)].join(' ')}";;`)
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [[ "$cur" == -* ]] || COMPREPLY+=($(compgen -f -- "$cur"))
}
complete -o filenames -F _tailmix tailmix
`;

const zsh = (all: readonly Completed[]): string => `#compdef tailmix
# tailmix completion zsh, for ~/.zshrc: source <(tailmix completion zsh)
_tailmix() {
  local command="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$command $word" in ${pathsOf(all)}) command="\${command:+$command }$word";; esac
  done
  case "$command \${words[CURRENT-1]}" in
${choicesOf(all)
  .map(({ place, words }) => `    "${place}") compadd -- ${words.join(' ')}; return;;`)
  .join('\n')}
  esac
  case "$command" in
${all
  .map((one) => {
    const words = [...one.commands, ...one.words];
    const named = words.length > 0 ? ` || compadd -- ${words.join(' ')}` : '';
    return `    "${one.path}") { [[ "$PREFIX" == -* ]] && compadd -- ${longOf(one).join(' ')}; }${named} || _files;;`;
  })
  .join('\n')}
  esac
}
compdef _tailmix tailmix
`;

/** In single quotes. */
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fish(all: readonly Completed[]): string {
  const lines = all.flatMap((one) => {
    const seen = one.path === '' ? [] : one.path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const here = one.path === '' ? '__fish_use_subcommand' : seen.join('; and ');
    const missing =
      one.commands.length > 0 && one.path !== '' ? [`not __fish_seen_subcommand_from ${one.commands.join(' ')}`] : [];
    const before = one.path === '' ? here : [...seen, ...missing].join('; and ');
    const below = one.commands.map((name) => {
      const path = one.path === '' ? name : `${one.path} ${name}`;
      const { description } = all.find((other) => other.path === path)!;
      return `complete -c tailmix -n ${quoted(before)} -a ${name} -d ${quoted(description)}`;
    });
    const words = one.words.map((word) => `complete -c tailmix -n ${quoted(here)} -a ${word}`);
    const options = one.options
      .filter(({ long }) => long)
      .map(({ long, argChoices, required, optional, description }) => {
        const value = argChoices ? ` -xa ${quoted(argChoices.join(' '))}` : required || optional ? ' -r' : '';
        return `complete -c tailmix -n ${quoted(here)} -l ${long!.slice(2)}${value} -d ${quoted(description)}`;
      });
    return [...below, ...words, ...options];
  });
  return `# tailmix completion fish > ~/.config/fish/completions/tailmix.fish\n${lines.join('\n')}\n`;
}
