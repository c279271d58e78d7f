/** One agent process, as it tells of itself. */
export interface Instance {
  /** As the process itself sees it; in a container mostly 1. */
  readonly pid: number;
  readonly version: string;
  readonly host?: string;
  readonly pod?: string;
  /** First 12 hex digits of the policy's hash; absent: it has none yet. */
  readonly policy?: string;
}

/** One line of JSON, with its end. */
export function instanceLine(instance: Instance): string {
  return `${JSON.stringify({ kind: "ip-masq-agent", ...instance })}\n`;
}

/** What a line of JSON tells; undefined: it is not from an agent. Whoever wrote it may be anybody on the node. */
export function instanceIn(line: string): Instance | undefined {
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof said !== "object" || said === null) return undefined;
  const { kind, pid, version, host, pod, policy } = said as Readonly<Record<string, unknown>>;
  if (kind !== "ip-masq-agent" || !Number.isSafeInteger(pid) || !isWord(version)) return undefined;
  return {
    ...{ pid: Number(pid), version },
    ...(isWord(host) && { host }),
    ...(isWord(pod) && { pod }),
    ...(isWord(policy) && { policy }),
  };
}

/** `pid 7, pod ip-masq-agent-x, host node1, version 0.1.0, policy 59811f988e14` */
export function describeInstance({ pid, pod, host, version, policy }: Instance): string {
  return [
    `pid ${pid}`,
    ...(pod === undefined ? [] : [`pod ${pod}`]),
    ...(host === undefined ? [] : [`host ${host}`]),
    `version ${version}`,
    policy === undefined ? "no policy yet" : `policy ${policy}`,
  ].join(", ");
}

/** Names and versions only: nothing that could forge a log line. */
function isWord(value: unknown): value is string {
  return typeof value === "string" && /^[\w.:+-]{1,253}$/.test(value);
}
