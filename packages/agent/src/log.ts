import { BackendError } from "@ip-masq-agent/core";
import { destination, type Logger, pino, stdTimeFunctions } from "pino";

export interface LogOptions {
  readonly format: "json" | "text";
  /** klog's verbosity: 0 and 1 are info, 2 and 3 debug, from 4 on trace. */
  readonly verbosity: number;
}

/** Lines on standard error, written at once: what was said before a crash has been said. */
export function createLogger({ format, verbosity }: LogOptions): Logger {
  const stderr = destination({ fd: 2, sync: true });
  const options = {
    level: verbosity >= 4 ? "trace" : verbosity >= 2 ? "debug" : "info",
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
    serializers: { err: describeError },
  };
  return format === "json"
    ? pino(options, stderr)
    : pino(options, { write: (line: string) => stderr.write(textLine(line)) });
}

/** What a person needs of an error: no stack for failures that are expected, the whole of it for those that are not. */
function describeError(error: unknown): unknown {
  if (error instanceof BackendError) {
    const { message, reason, operation, stderr } = error;
    return { message, reason, operation, ...(stderr !== "" && { stderr }) };
  }
  return error instanceof Error ? { message: error.message, stack: error.stack, cause: error.cause } : error;
}

/** `2026-11-23T11:00:00.000Z INFO  message key=value …`, from pino's JSON line. */
export function textLine(json: string): string {
  const { time, level, msg, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`,
  );
  return `${[String(time), String(level).toUpperCase().padEnd(5), String(msg), ...fields].join(" ")}\n`;
}

function quoted(value: string): string {
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
