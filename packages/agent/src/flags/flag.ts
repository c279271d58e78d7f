import type { PortRange } from "@ip-masq-agent/core";
import type { ListenAddress } from "../http/listen.ts";
import type { CommandName } from "./commands.ts";
import { type FlagSyntax, parseBoolean } from "./go-flags.ts";
import type { Checked } from "./values.ts";

/** What the command line asks for, every default filled in. */
export interface Options {
  readonly masqChain: string;
  readonly nomasqAllReservedRanges: boolean;
  readonly enableIPv6: boolean;
  readonly randomFully: boolean;
  readonly toPorts: readonly PortRange[];
  readonly config: string;
  /** `config` was given by name, and is not the default: then a file is expected there. */
  readonly configGiven: boolean;
  readonly missingConfig: MissingChoice;
  /** Milliseconds; undefined: not given. */
  readonly resyncInterval: number | undefined;
  readonly strictConfig: boolean;
  readonly backend: BackendChoice;
  readonly once: boolean;
  readonly metricsAddress: ListenAddress | undefined;
  readonly logFormat: "json" | "text";
  /** Milliseconds. */
  readonly driftCheckInterval: number;
  readonly protectRules: ProtectChoice;
  readonly v: number;
  readonly help: boolean;
  readonly version: boolean;
  readonly output: "text" | "json";
  readonly hostsFile: string;
  /** An address, as written. */
  readonly from: string | undefined;
  readonly protocol: string | undefined;
  readonly port: number | undefined;
  readonly script: boolean;
  readonly stay: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  /** The config is this ConfigMap, and not a file. */
  readonly configMap: ConfigMapName | undefined;
  readonly exemptPodCidrs: boolean;
  readonly events: boolean;
  /** Undefined: the pod's own service account. */
  readonly kubeconfig: string | undefined;
  /** Undefined: not known. */
  readonly nodeName: string | undefined;
  readonly cacheDir: string;
  readonly asAgent: boolean;
}

/** A ConfigMap by its place. */
export interface ConfigMapName {
  readonly namespace: string;
  readonly name: string;
}

export const backendChoices = ["auto", "nftables", "iptables", "iptables-nft", "iptables-legacy"] as const;
export type BackendChoice = (typeof backendChoices)[number];

export const protectChoices = ["auto", "on", "off"] as const;
export type ProtectChoice = (typeof protectChoices)[number];

export const missingChoices = ["defaults", "keep", "fail"] as const;
/** What is done where there is no config. */
export type MissingChoice = (typeof missingChoices)[number];

/** One flag: its place in the help, and how its text becomes an option's value. */
export interface Flag extends FlagSyntax {
  readonly group: string;
  /** What stands for the value in the help; a boolean has none. */
  readonly placeholder: string;
  /** As text, as a person would write it. */
  readonly default: string;
  readonly help: string;
  readonly option: keyof Options;
  /** The commands that it is for; absent: the agent itself, whose flags every command takes. */
  readonly commands?: readonly CommandName[];
  parse(text: string): Checked<Options[keyof Options]>;
}

const bool = (text: string): Checked<boolean> => {
  const value = parseBoolean(text);
  return value === undefined ? { reason: "is neither true nor false", remedy: "write true or false" } : { value };
};

export type Row = readonly [name: string, option: keyof Options, fallback: string, help: string];

/** Flags that stand alone. */
export function booleans(group: string, rows: readonly Row[]): readonly Flag[] {
  return rows.map(([name, option, fallback, help]) => ({
    ...{ group, name, option, default: fallback, help, placeholder: "", boolean: true },
    parse: bool,
  }));
}

/** A flag with a value. */
export function valued(
  group: string,
  placeholder: string,
  [name, option, fallback, help]: Row,
  parse: (text: string) => Checked<Options[keyof Options]>,
): Flag {
  return { group, name, option, default: fallback, help, placeholder, boolean: false, parse };
}
