import type { Command, Option } from 'commander';

/** Shells that a script can be made for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What only `tailmix complete` knows the words of, which the scripts ask. */
export type Completes = 'setting' | 'run' | 'checkpoint' | 'config' | 'data' | 'plugin' | 'topic' | 'folder';

/** By name of an argument, or of one of a command. */
const ARGUMENTS: Readonly<Record<string, Completes>> = {
  configs: 'config',
  sweeps: 'config',
  run: 'run',
  runs: 'run',
  topic: 'topic',
  'plugins name': 'plugin',
  'data prepare names': 'data',
  'data info names': 'data',
};

const OPTIONS: Readonly<Record<string, Completes>> = {
  '--set': 'setting',
  '--grid': 'setting',
  '--resume': 'run',
  '--checkpoint': 'checkpoint',
  '--out': 'folder',
  '--data-root': 'folder',
};

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
  /** What its argument is, where `tailmix complete` knows that. */
  asks: Completes | null;
}

/** A script that completes commands, options, settings, runs, configs and what an option may be; anything else is a file. */
export function completionScript(program: Command, shell: Shell): string {
  return { bash, zsh, fish }[shell](commandsBelow(program, []));
}

function commandsBelow(command: Command, path: readonly string[]): Completed[] {
  const names = command.registeredArguments.map((argument) => argument.name());
  const own: Completed = {
    path: path.join(' '),
    description: command.description(),
    commands: command.commands.map((below) => below.name()),
    options: [...command.options, ...command.createHelp().visibleOptions(command).slice(-1)],
    words: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    asks: names.flatMap((name) => ARGUMENTS[name] ?? ARGUMENTS[[...path, name].join(' ')] ?? [])[0] ?? null,
  };
  return [own, ...command.commands.flatMap((below) => commandsBelow(below, [...path, below.name()]))];
}

const longOf = ({ options }: Completed): string[] => [...new Set(options.flatMap(({ long }) => (long ? [long] : [])))];

/** Options that take one of a few words, as `path --option`. */
const choicesOf = (all: readonly Completed[]): { place: string; words: readonly string[] }[] =>
  all.flatMap(({ path, options }) =>
    options.flatMap(({ long, argChoices }) => (argChoices ? [{ place: `${path} ${long}`, words: argChoices }] : [])),
  );

/** What an option's value is; nothing for one that takes none. */
const kindOf = ({ long, required, optional }: Option): Completes | undefined =>
  required || optional ? OPTIONS[long ?? ''] : undefined;

/** Case branches that bash and zsh share: options whose words are asked for, as `path --option`. */
function askedOptions(all: readonly Completed[], line: (kind: Completes) => string): string {
  const asked = all.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const kind = kindOf(option);
      return kind === undefined ? [] : [{ kind, place: `"${path} ${option.long}"` }];
    }),
  );
  return [...new Set(asked.map(({ kind }) => kind))]
    .map((kind) => {
      const places = asked.filter((one) => one.kind === kind).map(({ place }) => place);
      return `    ${places.join('|')}) ${line(kind)}; return;;`;
    })
    .join('\n');
}

/** Case branches that bash and zsh share: which command a word leads to. */
const pathsOf = (all: readonly Completed[]): string =>
  all
    .filter(({ path }) => path !== '')
    .map(({ path }) => `"${path.includes(' ') ? path : ` ${path}`}"`)
    .join('|');

/** For bash and zsh: the tailmix of the project that the current folder is in, else that on the path. */
const RUNNER = `_tailmix_ask() {
  local folder="$PWD"
  while [[ -n "$folder" && ! -x "$folder/node_modules/.bin/tailmix" ]]; do folder="\${folder%/*}"; done
  if [[ -n "$folder" ]]; then "$folder/node_modules/.bin/tailmix" complete "$@"; else command tailmix complete "$@"; fi 2>/dev/null
}`;

const bash = (
  all: readonly Completed[],
): string => `# tailmix completion bash, for ~/.bashrc: source <(tailmix completion bash), or source <(npx tailmix completion bash)
${RUNNER}
_tailmix_offer() {
  local kind="$1" IFS=$'\\n' cut=""
  # Bash takes a word apart at = and :, and completes its last part alone.
  [[ "$cur" == *[=:]* ]] && cut="\${cur%"\${cur##*[=:]}"}"
  COMPREPLY=($(_tailmix_ask "$kind" "$cur" "\${words[@]}" | cut -f1))
  if ((\${#COMPREPLY[@]} == 0)); then
    [[ "$kind" == setting ]] || COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
  [[ "\${COMPREPLY[*]}" == *[.=/] ]] && compopt -o nospace 2>/dev/null
  [[ "$kind" == setting ]] && compopt +o filenames 2>/dev/null
}
_tailmix() {
  local cur="" previous command="" word list="" asks="" i joins=""
  local words=()
  for ((i = 1; i < COMP_CWORD + 1; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ -n "$cur" && ( "$word" == [=:]* || -n "$joins" ) ]]; then cur+="$word"
    else
      ((i > 1)) && words+=("$cur")
      cur="$word"
    fi
    joins=""
    [[ "$word" == *[=:] ]] && joins=1
  done
  previous=""
  ((\${#words[@]} > 0)) && previous="\${words[\${#words[@]} - 1]}"
  for word in "\${words[@]}"; do
    case "$command $word" in ${pathsOf(all)}) command="\${command:+$command }$word";; esac
  done
  case "$command $previous" in
${choicesOf(all)
  .map(({ place, words }) => `    "${place}") COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur")); return;;`)
  .join('\n')}
${askedOptions(all, (kind) => `_tailmix_offer ${kind}`)}
  esac
  case "$command" in
${all
  .map((one) => {
    const list = [...one.commands, ...one.words, ...longOf(one)].join(' ');
    return `    "${one.path}") list="${list}"${one.asks === null ? '' : ` asks=${one.asks}`};;`;
  })
  .join('\n')}
  esac
  [[ -n "$asks" && "$cur" != -* ]] && _tailmix_offer "$asks"
  ((\${#COMPREPLY[@]} > 0)) && return
  COMPREPLY=($(compgen -W "$list" -- "$cur"))
  [[ "$cur" == -* ]] || COMPREPLY+=($(compgen -f -- "$cur"))
}
_tailmix_npx() {
  [[ "\${COMP_WORDS[1]}" == tailmix && "$COMP_CWORD" -gt 1 ]] || return
  COMP_WORDS=("\${COMP_WORDS[@]:1}")
  COMP_CWORD=$((COMP_CWORD - 1))
  _tailmix
}
complete -o filenames -F _tailmix tailmix
complete -p npx >/dev/null 2>&1 || complete -o default -o filenames -F _tailmix_npx npx
`;

const zsh = (all: readonly Completed[]): string => `#compdef tailmix
# tailmix completion zsh, for ~/.zshrc, below compinit: source <(tailmix completion zsh), or source <(npx tailmix completion zsh)
${RUNNER}
_tailmix_offer() {
  local -a lines open closed
  lines=("\${(@f)$(_tailmix_ask "$1" "$PREFIX" "\${(@)words[2,CURRENT-1]}" | cut -f1)}")
  open=(\${(M)lines:#*[.=/]})
  closed=(\${lines:#*[.=/]})
  (( \${#open} )) && compadd -S '' -- "\${open[@]}"
  (( \${#closed} )) && compadd -- "\${closed[@]}"
  (( \${#open} + \${#closed} ))
}
_tailmix() {
  local command="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$command $word" in ${pathsOf(all)}) command="\${command:+$command }$word";; esac
  done
  case "$command \${words[CURRENT-1]}" in
${choicesOf(all)
  .map(({ place, words }) => `    "${place}") compadd -- ${words.join(' ')}; return;;`)
  .join('\n')}
${askedOptions(all, (kind) => `_tailmix_offer ${kind} || _files`)}
  esac
  case "$command" in
${all
  .map((one) => {
    const words = [...one.commands, ...one.words];
    const named = words.length > 0 ? ` || compadd -- ${words.join(' ')}` : '';
    const asked = one.asks === null ? '' : ` || _tailmix_offer ${one.asks}`;
    return `    "${one.path}") { [[ "$PREFIX" == -* ]] && compadd -- ${longOf(one).join(' ')}; }${named}${asked} || _files;;`;
  })
  .join('\n')}
  esac
}
_tailmix_npx() {
  if [[ "\${words[2]}" == tailmix ]] && (( CURRENT > 2 )); then
    shift words
    (( CURRENT-- ))
    _tailmix
  else _files; fi
}
compdef _tailmix tailmix
(( $+_comps[npx] )) || compdef _tailmix_npx npx
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
    const asked = one.asks === null ? [] : [`complete -c tailmix -n ${quoted(here)} -a '(__tailmix_ask ${one.asks})'`];
    const options = one.options
      .filter(({ long }) => long)
      .map((option) => {
        const { long, argChoices, required, optional, description } = option;
        const kind = kindOf(option);
        const words = argChoices?.join(' ') ?? (kind === undefined ? null : `(__tailmix_ask ${kind})`);
        const value = words !== null ? ` -xa ${quoted(words)}` : required || optional ? ' -r' : '';
        return `complete -c tailmix -n ${quoted(here)} -l ${long!.slice(2)}${value} -d ${quoted(description)}`;
      });
    return [...below, ...words, ...asked, ...options];
  });
  return `# tailmix completion fish > ~/.config/fish/completions/tailmix.fish
function __tailmix_ask
  set -l folder $PWD
  while test -n "$folder"; and not test -x "$folder/node_modules/.bin/tailmix"
    set folder (string replace -r '/[^/]*$' '' -- $folder)
  end
  set -l tailmix tailmix
  test -n "$folder"; and set tailmix $folder/node_modules/.bin/tailmix
  command $tailmix complete $argv (commandline -ct) (commandline -opc)[2..] 2>/dev/null
end
${lines.join('\n')}
complete -c npx -n 'string match -q "npx tailmix *" -- (commandline -pc)' -a '(complete -C (string replace "npx " "" -- (commandline -pc)))'
`;
}
