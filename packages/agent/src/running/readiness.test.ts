import { type Standing, systemClock } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { createMetrics } from "../metrics/metrics.ts";
import { createRecord } from "../status/record.ts";
import { whyNotInForce } from "./readiness.ts";

const good: Standing = { backend: "nftables", family: "IPv4", inForce: true, differences: 0, unread: false };
const bad: Standing = { ...good, inForce: false };
const conflict = { since: 0, undone: 34, by: { process: "nft", pid: 7 } };

test.each<[string, Standing, string | undefined]>([
  ["in force", good, undefined],
  ["not observed yet", bad, "the rules are not in force, or were not observed so"],
  ["a known difference", { ...bad, differences: 3 }, "3 differences from the policy are known and not repaired yet"],
  ["an unread notification", { ...bad, differences: 1, unread: true }, "a change was notified and has not been read"],
  ["a failed pass", { ...bad, differences: 3, failure: "the xtables lock is held" }, "the xtables lock is held"],
  [
    "a conflict, also while the rules stand",
    { ...good, conflict },
    "another program undoes our repairs, 34 times since 1970-01-01T00:00:00.000Z, the last time by nft (pid 7)",
  ],
])("%s: readiness, gauges and status say the same", async (_, standing, reason) => {
  const why = whyNotInForce([standing]);
  if (reason === undefined) expect(why).toBeUndefined();
  else expect(why).toContain(`IPv4: ${reason}`);
  const metrics = createMetrics({ version: "", commit: "", nodeVersion: "" }, ["IPv4"], systemClock);
  metrics.rulesKnownBy(() => [standing]);
  const page = await metrics.text();
  expect(page).toContain(`ip_masq_agent_rule_drift{backend="nftables",ip_family="IPv4"} ${standing.differences}\n`);
  const contested = standing.conflict === undefined ? 0 : 1;
  expect(page).toContain(`ip_masq_agent_drift_conflict{backend="nftables",ip_family="IPv4"} ${contested}\n`);
  if (standing.differences > 0 || contested === 1) expect(why).toBeDefined();
  const [family] = createRecord(["IPv4"], systemClock).families(() => 3, [standing]);
  expect(family).toMatchObject({ inForce: standing.inForce, differences: standing.differences });
  expect(family?.conflict?.undone).toBe(standing.conflict?.undone);
});

test("each family has its own reason, and a loop that knows of none is not ready", () => {
  expect(whyNotInForce([])).toBe("the rules are not in force, or were not observed so");
  const why = whyNotInForce([good, { ...bad, family: "IPv6", failure: "no ip6tables" }]);
  expect(why).toBe("IPv6: no ip6tables");
});
