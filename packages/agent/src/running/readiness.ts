import type { Standing } from "@ip-masq-agent/core";

/**
 * Why the rules are not to be relied on, in words; undefined: every family's are in force. That is so while a difference
 * is known, while a notification of a change has not been read, and for as long as a conflict lasts: there the rules may
 * be wrong again at any moment, and readiness does not come and go with each repair.
 */
export function whyNotInForce(standings: readonly Standing[]): string | undefined {
  if (standings.length === 0) return notObserved;
  const reasons = standings.flatMap((standing) => {
    const reason = reasonOf(standing);
    return reason === undefined ? [] : [`${standing.family}: ${reason}`];
  });
  return reasons.length === 0 ? undefined : reasons.join("; ");
}

const notObserved = "the rules are not in force, or were not observed so";

function reasonOf({ inForce, differences, unread, failure, conflict }: Standing): string | undefined {
  if (conflict !== undefined) {
    const { since, undone, by } = conflict;
    const who = by === undefined ? "" : `, the last time by ${by.process} (pid ${by.pid})`;
    return `another program undoes our repairs, ${undone} times since ${new Date(since).toISOString()}${who}`;
  }
  if (inForce) return undefined;
  if (failure !== undefined) return failure;
  if (unread) return "a change was notified and has not been read; with many, one read a second is made";
  if (differences > 0) return `${differences} differences from the policy are known and not repaired yet`;
  return notObserved;
}
