import type { Family } from "../address/family.ts";

/**
 * The throwaway network that a caller of the kit provides: a pod, a node that forwards for it, and an outside host that
 * answers for every other address. All on a real kernel, in network namespaces that vanish with `dispose`.
 */
export interface TestNetwork extends AsyncDisposable {
  /** The pod's own address: the source of a packet that was left alone. */
  readonly pod: Readonly<Record<Family, string>>;
  /** The node's address towards outside: the source of a masqueraded packet. */
  readonly node: Readonly<Record<Family, string>>;
  /** What to put before a command so that it runs on the node, as root: `["nsenter", "--net=…", "--"]`. */
  readonly launcher: readonly string[];
  /** Runs a command on the node to its end; does not reject for an exit code other than 0. */
  run(command: readonly string[], input?: string): Promise<CommandResult>;
  /** Why no packet can be sent there, as to multicast or to the network's own addresses; undefined: one can. */
  refusal(family: Family, destination: string): string | undefined;
  /** Sends each packet from the pod as a flow of its own; the answer at the same index says how it arrived outside. */
  send(packets: readonly TestPacket[]): Promise<readonly (Arrival | undefined)[]>;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestPacket {
  readonly family: Family;
  readonly destination: string;
  /** Default udp. With tcp it is a connection, which must be set up to count as arrived. */
  readonly protocol?: "udp" | "tcp";
}

/** How a packet arrived outside; undefined in its place: it did not. */
export interface Arrival {
  readonly source: string;
  readonly sourcePort: number;
}
