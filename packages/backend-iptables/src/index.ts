export { createIptablesBackend, type IptablesOptions } from "./backend.ts";
export { ownChains } from "./event-text.ts";
export { iptablesMayHoldRules, sightVariant, type VariantSighting } from "./variant.ts";
