export type { Arrival, CommandResult, TestNetwork, TestPacket } from "./network.ts";
