export { createNftablesBackend, type NftablesOptions, nftablesHasKubeProxy } from "./backend.ts";
export { type Concern, type KernelChange, ownTable } from "./event-text.ts";
export { type Monitor, type MonitorState, startMonitor } from "./monitor.ts";
