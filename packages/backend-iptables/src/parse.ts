import { type Family, type PortRange, type Prefix, readPrefix } from "@ip-masq-agent/core";
import type { Action, IptablesRule } from "./rule.ts";

/** One `-A` line of iptables-save -c. */
export interface SavedRule {
  readonly chain: string;
  /** The rest of the line after the chain, as printed. */
  readonly text: string;
  readonly packets: number;
  readonly bytes: number;
}

/** The nat table as saved: its user chains, and its rules in order. */
export interface SavedTable {
  readonly chains: readonly string[];
  readonly rules: readonly SavedRule[];
}

/**
 * Reads the output of `iptables-save -c -t nat`; undefined where it is not whole, from `*nat` to `COMMIT`. Rules that
 * `concerns` turns down (kube-proxy's tens of thousands) are passed over before anything is made of them.
 */
export function parseSave(text: string, concerns: (chain: string, line: string) => boolean): SavedTable | undefined {
  const chains: string[] = [];
  const rules: SavedRule[] = [];
  let state: "before" | "inside" | "after" = "before";
  for (let from = 0; from < text.length; ) {
    const end = endOfLine(text, from);
    if (end < 0) return undefined;
    const line = text.slice(from, end);
    from = end + 1;
    if (line === "*nat") state = "inside";
    else if (line === "COMMIT" && state === "inside") state = "after";
    else if (state === "before" || line.startsWith("#")) continue;
    else if (state === "after") return undefined;
    else if (line.startsWith(":")) {
      const space = line.indexOf(" ");
      if (line[space + 1] === "-") chains.push(line.slice(1, space));
    } else {
      const start = line.indexOf("] -A ");
      if (!line.startsWith("[") || start < 0) return undefined;
      const space = line.indexOf(" ", start + 5);
      const chain = line.slice(start + 5, space < 0 ? undefined : space);
      if (concerns(chain, line)) rules.push({ chain, text: space < 0 ? "" : line.slice(space + 1), ...countsOf(line) });
    }
  }
  return state === "after" ? { chains, rules } : undefined;
}

/** Comments may hold line breaks, which are printed as they are: what no line begins with belongs to the rule before. */
function endOfLine(text: string, from: number): number {
  let end = text.indexOf("\n", from);
  while (text[from] === "[" && end >= 0 && !"[:#C".includes(text[end + 1] ?? "")) end = text.indexOf("\n", end + 1);
  return end;
}

/** `[12:720]`: packets and bytes. */
function countsOf(line: string): { readonly packets: number; readonly bytes: number } {
  const colon = line.indexOf(":");
  return { packets: Number(line.slice(1, colon)), bytes: Number(line.slice(colon + 1, line.indexOf("]"))) };
}

/** A rule's text as a value, in the words of any version since 1.8; undefined for what none of our rules says. */
export function parseRule(family: Family, text: string): IptablesRule | undefined {
  const words = splitWords(text);
  let rule: Partial<Mutable<IptablesRule>> = {};
  let action: Action | undefined;
  for (let at = 0; at < words.length; at++) {
    const next = () => words[++at] ?? "";
    const word = words[at] ?? "";
    switch (word) {
      case "-d": {
        const destination = readPrefix(family, next());
        if (destination === undefined) return undefined;
        rule.destination = destination;
        break;
      }
      case "-p":
        rule.protocol = protocolName(next());
        break;
      case "-m":
        if (!knownMatches.has(next())) return undefined;
        break;
      case "!":
        if (next() !== "--dst-type" || next() !== "LOCAL") return undefined;
        rule.notLocal = true;
        break;
      case "--mode":
        if (next() !== "random") return undefined;
        break;
      case "--probability":
        // Two draws in one rule are not the second alone.
        if (rule.draws !== undefined) return undefined;
        rule.draws = Math.round(Number(next()) * 2 ** 31);
        break;
      case "--comment":
        rule.comment = next();
        break;
      case "-j":
      case "-g":
        action = actionOf(word, next());
        break;
      case "--to-ports": {
        const ports = parsePorts(next());
        if (action?.kind !== "masquerade" || ports === undefined) return undefined;
        action = { ...action, ports };
        break;
      }
      case "--random-fully":
        if (action?.kind !== "masquerade") return undefined;
        action = { ...action, randomFully: true };
        break;
      default:
        return undefined;
    }
  }
  if (action === undefined) return undefined;
  rule = { ...rule, action };
  return rule as IptablesRule;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const knownMatches: ReadonlySet<string> = new Set(["comment", "addrtype", "statistic", "tcp", "udp", "sctp"]);

function actionOf(word: "-j" | "-g", target: string): Action {
  if (word === "-g") return { kind: "goto", chain: target };
  if (target === "RETURN") return { kind: "return" };
  if (target === "MASQUERADE") return { kind: "masquerade", randomFully: false };
  return { kind: "jump", chain: target };
}

/** Where the C library knows no names for them, protocols are printed as numbers. */
function protocolName(word: string): string {
  return { "6": "tcp", "17": "udp", "132": "sctp" }[word] ?? word;
}

function parsePorts(word: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word);
  return match === null ? undefined : { first: Number(match[1]), last: Number(match[2] ?? match[1]) };
}

/** The chain or target a rule leads to by -j or -g, from its text alone. */
export function targetOf(text: string): string | undefined {
  const words = splitWords(text);
  // A comment may be the word -j, and what follows the target may say anything.
  const at = words.findIndex((word, index) => (word === "-j" || word === "-g") && words[index - 1] !== "--comment");
  return at < 0 ? undefined : words[at + 1];
}

/** A rule's comment; undefined: none. */
export function commentOf(text: string): string | undefined {
  const words = splitWords(text);
  const at = words.indexOf("--comment");
  return at < 0 ? undefined : words[at + 1];
}

/** Words as iptables quotes them: in double quotes with backslashes where they hold a space or a quote. */
export function splitWords(text: string): readonly string[] {
  const words: string[] = [];
  for (const match of text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    words.push(match[1] === undefined ? (match[2] ?? "") : match[1].replaceAll(/\\(.)/g, "$1"));
  }
  return words;
}

/** Whether a rule of POSTROUTING sends packets as our jump does, whatever its comment. */
export function isJump(rule: IptablesRule | undefined, chain: string): boolean {
  if (rule === undefined || rule.action.kind !== "jump" || rule.action.chain !== chain) return false;
  const { notLocal, destination, protocol, draws } = rule;
  return notLocal === true && isEverywhere(destination) && protocol === undefined && draws === undefined;
}

function isEverywhere(destination: Prefix | undefined): boolean {
  return destination === undefined || destination.length === 0;
}
