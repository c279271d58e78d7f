export { createIptablesBackend, type IptablesOptions } from "./backend.ts";
export { sightVariant, type VariantSighting } from "./variant.ts";
