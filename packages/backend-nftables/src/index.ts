export { createNftablesBackend, type NftablesOptions, nftablesHasKubeProxy } from "./backend.ts";
