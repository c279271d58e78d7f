export { createNftablesBackend, type NftablesOptions, nftablesHasKubeProxy } from "./backend.ts";
export { type Concern, type KernelChange, ownTable } from "./event-text.ts";
export { type Monitor, startMonitor } from "./monitor.ts";
