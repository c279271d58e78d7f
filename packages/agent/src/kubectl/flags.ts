import { type FlagSyntax, nearestCommand, parseBoolean, parseFlags } from "../flags/go-flags.ts";
import { type Checked, parseChoice, parseInteger, parseInterval, type ValueProblem } from "../flags/values.ts";

/** What the plugin's command line asks for. */
export interface PluginOptions {
  /** Empty: as kubectl finds it. */
  readonly kubeconfig: string;
  readonly context: string | undefined;
  /** Of the pod that is asked after; undefined: the context's. */
  readonly namespace: string | undefined;
  readonly agentNamespace: string;
  readonly selector: string;
  readonly timeoutMs: number;
  readonly parallel: number;
  readonly output: "text" | "json";
  /** `--protocol` and `--port`, for the agent's own explain. */
  readonly packet: readonly string[];
}

export type PluginCommand = "status" | "explain" | "doctor" | "help" | "version";

export interface PluginLine {
  readonly command: PluginCommand;
  readonly words: readonly string[];
  readonly options: PluginOptions;
}

interface PluginFlag extends FlagSyntax {
  readonly placeholder: string;
  readonly help: string;
  readonly default: string;
}

const flag = (name: string, placeholder: string, fallback: string, help: string, alias?: string): PluginFlag => ({
  ...{ name, placeholder, default: fallback, help, boolean: placeholder === "" },
  ...(alias !== undefined && { alias }),
});

/** kubectl hands its own flags to no plugin: those that matter are ours too. */
export const pluginFlags: readonly PluginFlag[] = [
  flag("kubeconfig", "PATH", "", "The kubeconfig. Default: as kubectl finds it."),
  flag("context", "NAME", "", "The context in it. Default: the current one."),
  flag("namespace", "NAME", "", "The namespace of POD. Default: the context's.", "n"),
  flag("agent-namespace", "NAME", "kube-system", "Where the agents run."),
  flag("selector", "LABELS", "k8s-app=ip-masq-agent", "Which pods there are agents.", "l"),
  flag("timeout", "DURATION", "20s", "How long a node may take to answer."),
  flag("parallel", "N", "16", "How many nodes are asked at a time."),
  flag("output", "FORMAT", "text", "text or json.", "o"),
  flag("protocol", "NAME", "", "For explain: tcp, udp, sctp, icmp or another."),
  flag("port", "N", "", "For explain: the destination's port."),
  flag("v", "N", "0", "With 1: also the stack of an internal error."),
  flag("help", "", "false", "Show this help.", "h"),
  flag("version", "", "false", "Show the version."),
];

const arity: Readonly<Record<PluginCommand, readonly [least: number, most: number, words: string]>> = {
  status: [0, 0, ""],
  explain: [2, 2, "POD DEST"],
  doctor: [0, 1, "[NODE]"],
  help: [0, 1, "[COMMAND]"],
  version: [0, 0, ""],
};

/** Reads everything behind `kubectl masq`. Pure; never throws. */
export function parsePluginLine(argv: readonly string[]): PluginLine | { readonly problem: string } {
  const parsed = parseFlags(argv, pluginFlags);
  // Where the help is, the caller says.
  if ("problem" in parsed) return { problem: parsed.problem.replace(/; see --help$/, "") };
  const text = (name: string) => parsed.values.get(name) ?? pluginFlags.find((one) => one.name === name)?.default ?? "";
  const problems: string[] = [];
  function value<T>(name: string, parse: (given: string) => Checked<T>, fallback: T): T {
    const checked = parse(text(name));
    if ("value" in checked) return checked.value;
    problems.push(`--${name} ${JSON.stringify(text(name))} ${checked.reason}; ${checked.remedy}`);
    return fallback;
  }
  const [word = "help", ...words] = parsed.positional;
  const options: PluginOptions = {
    kubeconfig: text("kubeconfig"),
    context: text("context") || undefined,
    namespace: text("namespace") || undefined,
    agentNamespace: text("agent-namespace"),
    selector: text("selector"),
    timeoutMs: value("timeout", parseInterval, 0),
    parallel: value("parallel", parseParallel, 1),
    output: value("output", parseChoice(["text", "json"] as const), "text"),
    packet: ["protocol", "port"].flatMap((name) => (text(name) === "" ? [] : [`--${name}=${text(name)}`])),
  };
  value("v", parseInteger, 0);
  // Whoever asks for help has not yet got it right.
  if (parseBoolean(text("help")) === true) return { command: "help", words, options };
  if (parseBoolean(text("version")) === true) return { command: "version", words, options };
  if (!isCommand(word)) return unknown(word);
  if (words.length === 1 && words[0] === "help") return { command: "help", words: [], options };
  const [about] = words;
  if (word === "help" && about !== undefined && !isCommand(about)) return unknown(about);
  const [least, most, shape] = arity[word];
  if (words.length < least || words.length > most) return { problem: `use: kubectl masq ${word} ${shape}`.trimEnd() };
  const [problem] = problems;
  return problem === undefined ? { command: word, words, options } : { problem };
}

function unknown(word: string): { readonly problem: string } {
  const meant = nearestCommand(word, Object.keys(arity));
  return {
    problem: `unknown command ${JSON.stringify(word)}${meant === "" ? "; use status, explain POD DEST or doctor [NODE]" : meant}`,
  };
}

function isCommand(word: string): word is PluginCommand {
  return Object.hasOwn(arity, word);
}

function parseParallel(text: string): Checked<number> {
  const checked = parseInteger(text);
  const problem: ValueProblem = { reason: "is not a number from 1 to 256", remedy: "write digits, as 16" };
  return "value" in checked && checked.value >= 1 && checked.value <= 256 ? checked : problem;
}

export function pluginHelp(): string {
  const width = 30;
  return [
    "kubectl masq asks the ip-masq-agents of a cluster, with your own credentials.",
    "",
    "Usage:",
    "  kubectl masq status                 every node's agent: backend, policy, in sync, drifts, warnings; who differs",
    "  kubectl masq explain POD DEST       what becomes of POD's packets to DEST, said by the agent on POD's node",
    "  kubectl masq doctor [NODE]          what undoes the rules, on every node or one",
    "  kubectl masq help                   this help",
    "  kubectl masq version                the plugin's version",
    "",
    "Flags:",
    ...pluginFlags.map(({ name, alias, placeholder, help, default: fallback, boolean }) => {
      const head = `${alias === undefined ? "" : `-${alias}, `}--${name}${boolean ? "" : `=${placeholder}`}`;
      return `  ${head.padEnd(width)}${help}${fallback === "" || boolean ? "" : ` (default ${fallback})`}`;
    }),
    "",
    "It takes the verbs list on pods, get and create on pods/exec in the agents' namespace, and list on nodes; for explain",
    "also get on pods where POD is.",
    "",
    "Exit codes:",
    "  0  as it should be",
    "  1  failed; doctor: at least one error",
    "  2  wrong usage: nothing was asked",
    "  3  nodes that differ, are not in sync, or do not answer; explain: the kernel does something else",
    "",
  ].join("\n");
}
