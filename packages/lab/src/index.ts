export { createLab, type Lab } from "./lab.ts";
export { createNamespace, type Namespace } from "./namespace.ts";
export { isForwardable } from "./traffic/traffic.ts";
