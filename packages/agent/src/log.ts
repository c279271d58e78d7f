import { BackendError } from "@ip-masq-agent/core";
import { type Logger, pino, stdTimeFunctions } from "pino";
import { textOf } from "./output.ts";
import { type LineSink, openStderr } from "./stderr.ts";

export interface LogOptions {
  readonly format: "json" | "text";
  /** klog's verbosity: 0 and 1 are info, 2 and 3 debug, from 4 on trace. */
  readonly verbosity: number;
}

/**
 * Lines on standard error, written at once: what was said before a crash has been said. Lines that cannot be written are
 * counted, and the count is the first line that can be written again.
 */
export function createLogger({ format, verbosity }: LogOptions, sink: LineSink = openStderr()): Logger {
  const formatted = (json: string) => textOf(format === "json" ? json : textLine(json));
  let lost = 0;
  const options = {
    level: verbosity >= 4 ? "trace" : verbosity >= 2 ? "debug" : "info",
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
    serializers: { err: describeError },
  };
  return pino(options, {
    write(line: string) {
      if (lost > 0 && sink.write(formatted(lossLine(lost)))) lost = 0;
      if (!sink.write(formatted(line))) lost++;
    },
  });
}

function lossLine(lines: number): string {
  const msg = "log lines were lost: standard error could not take them";
  return `${JSON.stringify({ level: "warn", time: new Date().toISOString(), lines, msg })}\n`;
}

/** What a person needs of an error: no stack for failures that are expected, the whole of it for those that are not. */
function describeError(error: unknown): unknown {
  if (error instanceof BackendError) {
    const { message, reason, operation, stderr } = error;
    return { message, reason, operation, ...(stderr !== "" && { stderr }) };
  }
  return error instanceof Error ? { message: error.message, stack: error.stack, cause: error.cause } : error;
}

/** `2026-11-23T11:00:00.000Z INFO  message key=value …`, from pino's JSON line; `textOf` makes it fit to leave. */
export function textLine(json: string): string {
  const { time, level, msg, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`,
  );
  return [String(time), String(level).toUpperCase().padEnd(5), String(msg), ...fields].join(" ");
}

function quoted(value: string): string {
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
