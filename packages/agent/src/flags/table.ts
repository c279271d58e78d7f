import { backendChoices, booleans, type Flag, missingChoices, protectChoices, valued } from "./flag.ts";
import type { FlagSyntax } from "./go-flags.ts";
import { kubernetesFlags } from "./kubernetes.ts";
import {
  parseChain,
  parseChoice,
  parseInteger,
  parseInterval,
  parseListenAddress,
  parsePath,
  parsePorts,
} from "./values.ts";

/** Every flag of the agent itself, in the order of the help. */
export const agentFlags: readonly Flag[] = [
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
      "Source ports for tcp, udp and sctp, as 1024-29999,32768-65535. Fewer than 1000 are warned of. Empty: the kernel's choice.",
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
      "The config file, or a directory of files ip-masq*. Without a file at the default path, the defaults; a path that is given must exist, and the agent waits for it.",
    ],
    parsePath("a file or a directory"),
  ),
  valued(
    "Config",
    "WHAT",
    [
      "missing-config",
      "missingConfig",
      "defaults",
      "What applies where there is no config: defaults; keep (the last good one, also after a restart, from a copy in --cache-dir); fail (a start waits for a config, a running agent keeps the last good one).",
    ],
    parseChoice(missingChoices),
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
  ...kubernetesFlags,
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
  valued(
    "Backend",
    "WHETHER",
    [
      "protect-rules",
      "protectRules",
      "auto",
      "auto, on or off: own the nftables tables, so that nobody else can change them. auto: where kernel (6.9) and nft (1.1) can.",
    ],
    parseChoice(protectChoices),
  ),
  valued(
    "Running",
    "DURATION",
    [
      "drift-check-interval",
      "driftCheckInterval",
      "5s",
      "Least time between looks for drift where the kernel tells of no changes (iptables-legacy). Looking takes 1 % of the time at most.",
    ],
    parseInterval,
  ),
  ...booleans("Running", [
    ["once", "once", "false", "Reconcile once and exit: 0 in force, 1 failed, or another agent runs on this node."],
  ]),
  valued(
    "Running",
    "ADDRESS",
    [
      "metrics-address",
      "metricsAddress",
      ":10266",
      "Where /metrics, /healthz, /readyz and, for this node alone, /statusz, /configz and /flagz are served; at 127.0.0.1 besides, for probes. Empty: nowhere.",
    ],
    parseListenAddress,
  ),
  valued(
    "Logging",
    "FORMAT",
    ["log-format", "logFormat", "json", "json or text; on standard error."],
    parseChoice(["json", "text"] as const),
  ),
  valued(
    "Logging",
    "N",
    ["v", "v", "0", "More with 2 (debug) and 4 (trace); from 1 on the stack of an internal error."],
    parseInteger,
  ),
  ...booleans("Other", [
    ["help", "help", "false", "Show this help, or a command's."],
    ["version", "version", "false", "Show the version."],
  ]).map((flag) => (flag.name === "help" ? { ...flag, alias: "h" } : flag)),
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
