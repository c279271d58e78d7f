export { createNftablesBackend, type NftablesOptions, nftablesHasKubeProxy } from "./backend.ts";
export { concernsOwnTable, type KernelChange } from "./event-text.ts";
export { type Monitor, startMonitor } from "./monitor.ts";
