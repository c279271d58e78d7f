export * from "./abuse/abuse.ts";
export * from "./abuse/plan.ts";
export * from "./agent-process.ts";
export * from "./destination.ts";
export * from "./lab.ts";
export * from "./namespace.ts";
export * from "./toolchain.ts";
export * from "./topology.ts";
