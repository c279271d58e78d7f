export { bytesText, type ChildEnd, describeEnd } from "./end.ts";
export { type ChildOptions, type ChildResult, mostStderrBytes, runChild } from "./run.ts";
