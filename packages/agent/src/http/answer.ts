/** What a path answers. A body that many are given is a buffer: it is in memory once, however many take it. */
export interface Answer {
  readonly status: number;
  readonly body: string | Buffer;
  readonly contentType?: string;
}

/** What a path is asked. */
export interface Question {
  /** The client is on this node: it came by a loopback address, or from the very address that it came to. */
  readonly local: boolean;
  readonly acceptsJson: boolean;
  readonly acceptsOpenMetrics: boolean;
}

export type Routes = Readonly<Record<string, (question: Question) => Answer | Promise<Answer>>>;
