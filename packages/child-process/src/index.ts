export { bytesText, type ChildEnd, describeEnd } from "./end.ts";
export { type ChildOptions, type ChildResult, killGroup, mostStderrBytes, runChild } from "./run.ts";
