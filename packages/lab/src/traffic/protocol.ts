import type { Family } from "@ip-masq-agent/core";

/** Lines of JSON between the lab and its two programs. First what the sender is told: packets to send now. */
export type SendLine = readonly SendEntry[];

export type SendEntry = readonly [id: number, family: Family, destination: string, protocol: "udp" | "tcp"];

/** What the sender answers for a packet that its own kernel refused. */
export type FailureLine = readonly [id: number, message: string];

/** What the receiver tells of each packet. */
export type ArrivalLine = readonly [id: number, source: string, sourcePort: number];

/** Where every packet goes, udp and tcp. */
export const port = 7_777;
