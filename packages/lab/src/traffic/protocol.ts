/** What goes by lines of JSON between the lab and its two processes. */
export interface SendLine {
  readonly id: number;
  readonly address: string;
  readonly version: 4 | 6;
  readonly protocol: "udp" | "tcp";
}

export interface ArrivalLine {
  readonly id: number;
  readonly source: string;
  readonly sourcePort: number;
}

export const port = 9999;
