import type { Family } from "../address/family.ts";
import type { Backend } from "../backend/contract.ts";
import type { DriftKind } from "../backend/drift.ts";
import type { TestNetwork } from "./network.ts";

/** What the kit is given to run a backend through its paces. */
export interface ConformanceOptions<S extends Subject = Subject> {
  /** The runner's own function that declares a test: `test` of vitest, node:test, … */
  readonly test: (title: string, run: () => Promise<void>) => unknown;
  /** Stands before every title: `nftables`, `iptables-legacy, trixie`. */
  readonly name: string;
  /** A backend on a node where nothing of its own is. Opened for every test; two are never open at the same time. */
  readonly open: () => Promise<S>;
  /** What others may do to the rules; each is tried in both families, for detection, repair and cleanup. */
  readonly tamperings: readonly Tampering<S>[];
  /** Rules of others, that must survive; needed unless `limits.foreign` says why not. */
  readonly foreign?: Foreign<S>;
  /**
   * Changes a transaction so that the kernel refuses it as a whole, near its end; needed unless `limits.rejection` says
   * why not. A syntax error is a weak choice: a tool finds it before the kernel sees anything.
   */
  readonly spoil?: (transaction: string, family: Family) => string;
  /** What this backend cannot do. Each reason is reported, with the tests that are left out for it. */
  readonly limits?: Limits;
  /** Takes a line for people; by default it is printed. */
  readonly report?: (line: string) => void;
}

/** A backend under test; its disposal leaves the node as it was before. */
export interface Subject extends AsyncDisposable {
  readonly backend: Backend;
  /** Where the backend's rules are in force; undefined only with `limits.packets`. */
  readonly network?: TestNetwork | undefined;
}

/** A way in which rules are changed behind the backend's back. */
export interface Tampering<S extends Subject = Subject> {
  /** Ends a title: `the chain is flushed`. */
  readonly name: string;
  /** Done after a policy with two exempt prefixes (`tamperedPolicy`) was written for the family. */
  tamper(subject: S, family: Family): Promise<void>;
  /** The plan must hold differences of exactly these kinds, however many of each. */
  readonly kinds: readonly DriftKind[];
}

/** Rules that are not the backend's. */
export interface Foreign<S extends Subject = Subject> {
  /** Puts such rules on the node, around ours and elsewhere, in both families. */
  install(subject: S): Promise<void>;
  /** All rules on the node but the backend's own, as text without counters or handles. */
  list(subject: S): Promise<string>;
}

/** Each a sentence's end, that says why: `it keeps its rules in memory`. */
export interface Limits {
  /** No packet goes by its rules: decisions are not seen, only read. */
  readonly packets?: string;
  /** It does not count packets. */
  readonly counters?: string;
  /** No transaction of its can be made to fail. */
  readonly rejection?: string;
  /** No rules but its own can be where it writes. */
  readonly foreign?: string;
}
