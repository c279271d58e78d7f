import type { PortRange } from "@ip-masq-agent/core";
import type { ListenAddress } from "../http/server.ts";
import { type FlagSyntax, parseBoolean } from "./go-flags.ts";
import {
  type Checked,
  parseChain,
  parseChoice,
  parseInteger,
  parseInterval,
  parseListenAddress,
  parsePorts,
} from "./values.ts";

/** What the command line asks for, every default filled in. */
export interface Options {
  readonly masqChain: string;
  readonly nomasqAllReservedRanges: boolean;
  readonly enableIPv6: boolean;
  readonly randomFully: boolean;
  readonly toPorts: readonly PortRange[];
  readonly config: string;
  /** Milliseconds; undefined: not given. */
  readonly resyncInterval: number | undefined;
  readonly strictConfig: boolean;
  readonly backend: BackendChoice;
  readonly once: boolean;
  readonly metricsAddress: ListenAddress | undefined;
  readonly logFormat: "json" | "text";
  readonly v: number;
  readonly help: boolean;
  readonly version: boolean;
}

export const backendChoices = ["auto", "nftables", "iptables", "iptables-nft", "iptables-legacy"] as const;
export type BackendChoice = (typeof backendChoices)[number];

/** One flag: its place in the help, and how its text becomes an option's value. */
export interface Flag extends FlagSyntax {
  readonly group: string;
  /** What stands for the value in the help; a boolean has none. */
  readonly placeholder: string;
  /** As text, as a person would write it. */
  readonly default: string;
  readonly help: string;
  readonly option: keyof Options;
  parse(text: string): Checked<Options[keyof Options]>;
}

const bool = (text: string): Checked<boolean> => {
  const value = parseBoolean(text);
  return value === undefined ? { reason: "is neither true nor false", remedy: "write true or false" } : { value };
};

type Row = readonly [name: string, option: keyof Options, fallback: string, help: string];

function booleans(group: string, rows: readonly Row[]): readonly Flag[] {
  return rows.map(([name, option, fallback, help]) => ({
    ...{ group, name, option, default: fallback, help, placeholder: "", boolean: true },
    parse: bool,
  }));
}

function valued(
  group: string,
  placeholder: string,
  [name, option, fallback, help]: Row,
  parse: (text: string) => Checked<Options[keyof Options]>,
): Flag {
  return { group, name, option, default: fallback, help, placeholder, boolean: false, parse };
}

/** Every flag of the agent, in the order of the help. */
export const flagTable: readonly Flag[] = [
  ...booleans("What is masqueraded", [
    [
      "enable-ipv6",
      "enableIPv6",
      "false",
      "Keep rules for IPv6 too. Off: rules of ours that are there for IPv6 are removed.",
    ],
    [
      "nomasq-all-reserved-ranges",
      "nomasqAllReservedRanges",
      "false",
      "Add all reserved IPv4 ranges to the default exempt ranges.",
    ],
    ["random-fully", "randomFully", "true", "Choose source ports fully at random, against races in conntrack."],
  ]),
  valued(
    "What is masqueraded",
    "RANGES",
    [
      "to-ports",
      "toPorts",
      "",
      "Source ports for tcp, udp and sctp, as 1024-29999,32768-65535. Empty: the kernel's choice.",
    ],
    parsePorts,
  ),
  valued(
    "Config",
    "PATH",
    [
      "config",
      "config",
      "/etc/config/ip-masq-agent",
      "The config file, or a directory of files ip-masq*. No file: the defaults.",
    ],
    (value) => (value === "" ? { reason: "is empty", remedy: "name a file or a directory" } : { value }),
  ),
  valued(
    "Config",
    "DURATION",
    [
      "resync-interval",
      "resyncInterval",
      "",
      "How often to compare with the kernel, where the config does not say. Default 60s.",
    ],
    (text) => (text === "" ? { value: undefined } : parseInterval(text)),
  ),
  ...booleans("Config", [
    ["strict-config", "strictConfig", "false", "Refuse a config with an unknown key, instead of warning."],
  ]),
  valued(
    "Backend",
    "NAME",
    [
      "backend",
      "backend",
      "auto",
      "auto, nftables, iptables, iptables-nft or iptables-legacy. auto: where kube-proxy is.",
    ],
    parseChoice(backendChoices),
  ),
  valued("Backend", "NAME", ["masq-chain", "masqChain", "IP-MASQ-AGENT", "Name of the iptables chain."], parseChain),
  ...booleans("Running", [["once", "once", "false", "Reconcile once and exit: 0 in force, 1 failed."]]),
  valued(
    "Running",
    "ADDRESS",
    ["metrics-address", "metricsAddress", ":10266", "Where /metrics, /healthz and /readyz are served. Empty: nowhere."],
    parseListenAddress,
  ),
  valued(
    "Logging",
    "FORMAT",
    ["log-format", "logFormat", "json", "json or text; on standard error."],
    parseChoice(["json", "text"] as const),
  ),
  valued("Logging", "N", ["v", "v", "0", "More with 2 (debug) and 4 (trace)."], parseInteger),
  ...booleans("Other", [
    ["help", "help", "false", "Show this help."],
    ["version", "version", "false", "Show the version."],
  ]),
];

/** klog's flags that the original has and manifests carry: taken, checked for syntax only, and without effect. */
export const ignoredFlags: readonly FlagSyntax[] = [
  ...[
    "logtostderr",
    "alsologtostderr",
    "add_dir_header",
    "one_output",
    "skip_headers",
    "skip_log_headers",
    "legacy_stderr_threshold_behavior",
  ].map((name) => ({ name, boolean: true })),
  ...["log_backtrace_at", "log_dir", "log_file", "log_file_max_size", "stderrthreshold", "vmodule"].map((name) => ({
    name,
    boolean: false,
  })),
];
