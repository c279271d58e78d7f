import { families, isEverything, type Policy } from "@ip-masq-agent/core";
import { Counter, Gauge, type Registry } from "prom-client";

/** What was loaded, and whether the last change of it could be. */
export function configMetrics(registry: Registry): {
  loaded(policy: Policy, hash: string, warnings: number, at: number): void;
  refused(): void;
  missing(isMissing: boolean): void;
} {
  const registers = [registry];
  const reloads = new Counter({
    name: "ip_masq_agent_config_reloads_total",
    help: "Times that the config was read anew, by result.",
    labelNames: ["result"],
    registers,
  });
  const successful = new Gauge({
    name: "ip_masq_agent_config_last_reload_successful",
    help: "1 if the config was valid when it was last read, or there was none; else 0.",
    registers,
  });
  const missing = new Gauge({
    name: "ip_masq_agent_config_missing",
    help: "1 while there is no config although one is named, required, or was there before; else 0.",
    registers,
  });
  const successAt = new Gauge({
    name: "ip_masq_agent_config_last_reload_success_timestamp_seconds",
    help: "Unix time at which the config was last read and valid.",
    registers,
  });
  const info = new Gauge({
    name: "ip_masq_agent_config_info",
    help: "1, with the first 12 hex digits of the hash of the policy that is to be in force.",
    labelNames: ["hash"],
    registers,
  });
  const warnings = new Gauge({
    name: "ip_masq_agent_config_warnings",
    help: "Warnings about the config that is in use.",
    registers,
  });
  const prefixes = new Gauge({
    name: "ip_masq_agent_exempt_prefixes",
    help: "Prefixes in the canonical set of exempt destinations.",
    labelNames: ["ip_family"],
    registers,
  });
  const everything = new Gauge({
    name: "ip_masq_agent_exempts_everything",
    help: "1 if every destination is exempt, so that nothing is masqueraded, else 0.",
    labelNames: ["ip_family"],
    registers,
  });
  for (const result of ["success", "failure"]) reloads.inc({ result }, 0);
  return {
    loaded(policy, hash, count, at) {
      reloads.inc({ result: "success" });
      successful.set(1);
      successAt.set(at / 1000);
      warnings.set(count);
      info.reset();
      info.set({ hash: hash.slice(0, 12) }, 1);
      for (const family of families) {
        const exempt = policy[family]?.exempt;
        if (exempt === undefined) continue;
        prefixes.set({ ip_family: family }, exempt.prefixes.length);
        everything.set({ ip_family: family }, isEverything(exempt) ? 1 : 0);
      }
    },
    refused() {
      reloads.inc({ result: "failure" });
      successful.set(0);
    },
    missing(isMissing) {
      missing.set(isMissing ? 1 : 0);
      // What is not there was not refused.
      if (isMissing) successful.set(1);
    },
  };
}
