/** How many clients of each kind abuse one server. Each comes again at once, as often as its connection ends. */
export interface AbusePlan {
  readonly host: string;
  readonly port: number;
  /** Say nothing. */
  readonly idle?: number;
  /** Ask for /metrics, read the answer and ask again. */
  readonly flood?: number;
  /** Send 60,000 requests in 2 MB and read nothing. */
  readonly pipelined?: number;
  /** Send a byte of the request's head each tenth of a second. */
  readonly slow?: number;
  /** Are gone as soon as they are connected. */
  readonly knocking?: number;
}

/** What came of it. */
export interface AbuseReport {
  readonly connections: number;
  /** Complete answers that floods had. */
  readonly answers: number;
}

/** An abuse has no more clients than this, and ends by itself after so many seconds. */
export const abuseLimits = { clients: 2_000, seconds: 60 } as const;
