import { type CommandName, commands, flagsOf, flagTable } from "../flags/commands.ts";
import { linesOf, type Output } from "../output.ts";

const program = "ip-masq-agent";

/** Prints what a shell needs to complete commands and flags: made from the same tables as the help. */
export function completion(shell: string, output: Output): number {
  const script = { bash, zsh, fish }[shell];
  if (script === undefined) {
    output.err(`ip-masq-agent: ${JSON.stringify(shell)} is no shell with completions here; use bash, zsh or fish\n`);
    return 2;
  }
  output.out(linesOf(script()));
  return 0;
}

const names: string = commands.map(({ name }) => name).join(" ");
/** What may stand behind a command, for those where it is one of a few words. */
const choices: Partial<Record<CommandName, string>> = { completion: "bash zsh fish", help: names };

/** Flags for a command: its own and the agent's. */
function flagNames(command?: CommandName): readonly string[] {
  const own = command === undefined ? [] : flagsOf(command);
  const common = flagTable.filter((flag) => flag.commands === undefined);
  return [...own, ...common].map(({ name, boolean }) => `--${name}${boolean ? "" : "="}`);
}

function bash(): string {
  return `# bash completion of ${program}: source <(${program} completion bash)
_ip_masq_agent() {
  local current=\${COMP_WORDS[COMP_CWORD]} command= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) command=$word; break ;; esac
  done
  local flags
  case $command in
${commands.map(({ name }) => `    ${name}) flags='${flagNames(name).join(" ")}' ;;`).join("\n")}
    *) flags='${flagNames().join(" ")}' ;;
  esac
  COMPREPLY=()
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
    [[ \${COMPREPLY[0]-} == *= ]] && compopt -o nospace
  elif [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "${names}" -- "$current"))
${Object.entries(choices)
  .map(
    ([name, words]) => `  elif [[ $command == ${name} ]]; then\n    COMPREPLY=($(compgen -W "${words}" -- "$current"))`,
  )
  .join("\n")}
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
  return 0
}
complete -F _ip_masq_agent ${program}
`;
}

function zsh(): string {
  const described = commands.map(({ name, help }) => `    '${name}:${quoted(help)}'`).join("\n");
  const flags = (command?: CommandName) =>
    [...(command === undefined ? [] : flagsOf(command)), ...flagTable.filter((flag) => flag.commands === undefined)]
      .map(
        ({ name, boolean, help }) =>
          `'--${name}${boolean ? "" : "="}[${quoted(help)}]${boolean ? "" : ":value:_files"}'`,
      )
      .join(" ");
  return `#compdef ${program}
# zsh completion of ${program}: source <(${program} completion zsh)
_ip_masq_agent() {
  local -a commands=(
${described}
  )
  local command=\${words[(r)(${names.replaceAll(" ", "|")})]}
  case $command in
${commands.map(({ name }) => `    ${name}) _arguments ${flags(name)} '*:argument:${choices[name] === undefined ? "_files" : `(${choices[name]})`}' ;;`).join("\n")}
    *) _arguments ${flags()} '1:command:(($commands))' ;;
  esac
}
compdef _ip_masq_agent ${program}
`;
}

function fish(): string {
  const condition = (name: string) => `-n '__fish_seen_subcommand_from ${name}'`;
  const line = (where: string, flag: (typeof flagTable)[number]) =>
    `complete -c ${program} ${where} -l ${flag.name}${flag.alias === undefined ? "" : ` -s ${flag.alias}`}${flag.boolean ? "" : " -r"} -d '${quoted(flag.help)}'`.replaceAll(
      / {2,}/g,
      " ",
    );
  return `${[
    `# fish completion of ${program}: ${program} completion fish | source`,
    ...commands.map(
      ({ name, help }) => `complete -c ${program} -n '__fish_use_subcommand' -f -a ${name} -d '${quoted(help)}'`,
    ),
    ...Object.entries(choices).map(([name, words]) => `complete -c ${program} ${condition(name)} -f -a '${words}'`),
    ...flagTable.filter((flag) => flag.commands === undefined).map((flag) => line("", flag)),
    ...commands.flatMap(({ name }) => flagsOf(name).map((flag) => line(condition(name), flag))),
  ].join("\n")}\n`;
}

/** Inside single quotes, and inside zsh's brackets and colons. */
function quoted(text: string): string {
  return text.replaceAll("'", "").replaceAll(/[[\]:]/g, "");
}
