/** Why the API did not give what was asked; the `reason` label of `api_failures_total`. */
export type ApiReason = "unreachable" | "unauthorized" | "forbidden" | "gone" | "not_found" | "overloaded" | "other";

export const apiReasons: readonly ApiReason[] = [
  "unreachable",
  "unauthorized",
  "forbidden",
  "gone",
  "not_found",
  "overloaded",
  "other",
];

/** What a request is about, in RBAC's words. */
export interface Asked {
  readonly verb: "get" | "list" | "watch" | "create" | "patch";
  readonly resource: string;
  /** Absent: of the whole cluster. */
  readonly namespace?: string;
}

/** A request that failed. The message says what was asked, why it failed, and what to do. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly reason: ApiReason;
  /** The API server asked to be left alone for so long. */
  readonly retryAfterMs: number | undefined;

  constructor(reason: ApiReason, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The error for an answer of the API server; `said` is the message of its Status object, where it sent one. */
export function refusedBy(asked: Asked, code: number, said: string, retryAfterSeconds?: number): ApiError {
  const what = describeAsked(asked);
  const because = said === "" ? `HTTP ${code}` : `HTTP ${code}: ${said}`;
  switch (code) {
    case 401:
      return new ApiError("unauthorized", `the API server does not accept the token or certificate (${because})`);
    case 403:
      return new ApiError(
        "forbidden",
        `may not ${what}: it takes the verb ${asked.verb} on ${asked.resource} (${because})`,
      );
    case 404:
      return new ApiError("not_found", `could not ${what} (${because})`);
    case 410:
      return new ApiError("gone", `could not ${what}: the history that was asked for is gone (${because})`);
    case 429:
    case 503: {
      const wait = retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 };
      return new ApiError("overloaded", `could not ${what}: the API server is busy (${because})`, wait);
    }
    default:
      return new ApiError("other", `could not ${what} (${because})`);
  }
}

/** No answer at all, or one that broke off. */
export function unreachable(asked: Asked, server: string, cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ApiError("unreachable", `could not ${describeAsked(asked)}: ${server} does not answer (${why})`, {
    cause,
  });
}

function describeAsked({ verb, resource, namespace }: Asked): string {
  return `${verb} ${resource}${namespace === undefined ? "" : ` in namespace ${namespace}`}`;
}
