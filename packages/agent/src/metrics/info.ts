import { Gauge, type Registry } from "prom-client";

export interface Build {
  readonly version: string;
  readonly commit: string;
  readonly nodeVersion: string;
}

/** What runs here, each 1 with its labels. */
export function infoMetrics(
  registry: Registry,
  build: Build,
): {
  backend(name: string, variant: string, toolVersion: string): void;
  guarded(backend: string, isProtected: boolean): void;
  events(backend: string, up: boolean, residentBytes?: () => number | undefined): void;
} {
  const registers = [registry];
  new Gauge({
    name: "ip_masq_agent_build_info",
    help: "1, with what the agent was built from and runs on.",
    labelNames: ["version", "commit", "node_version"],
    registers,
  }).set({ version: build.version, commit: build.commit, node_version: build.nodeVersion }, 1);
  const backend = new Gauge({
    name: "ip_masq_agent_backend_info",
    help: "1, with the backend in use and its tool's version.",
    labelNames: ["backend", "variant", "tool_version"],
    registers,
  });
  const guarded = new Gauge({
    name: "ip_masq_agent_rules_protected",
    help: "1 if the rules are owned, so that nobody else can change them, else 0.",
    labelNames: ["backend"],
    registers,
  });
  const events = new Gauge({
    name: "ip_masq_agent_kernel_events_up",
    help: "1 while the kernel's events are listened to, 0 while rules are only read at intervals; none for iptables-legacy.",
    labelNames: ["backend"],
    registers,
  });
  let listener: { readonly backend: string; readonly bytes: () => number | undefined } | undefined;
  new Gauge({
    name: "ip_masq_agent_kernel_events_resident_bytes",
    help: "Memory in use by nft monitor, which listens to the kernel's events, in bytes; none while it does not run.",
    labelNames: ["backend"],
    registers,
    collect() {
      this.reset();
      const bytes = listener?.bytes();
      if (listener !== undefined && bytes !== undefined) this.set({ backend: listener.backend }, bytes);
    },
  });
  return {
    guarded: (name, isProtected) => guarded.set({ backend: name }, isProtected ? 1 : 0),
    events(name, up, residentBytes) {
      events.set({ backend: name }, up ? 1 : 0);
      if (residentBytes !== undefined) listener = { backend: name, bytes: residentBytes };
    },
    backend(name, variant, toolVersion) {
      backend.reset();
      backend.set({ backend: name, variant, tool_version: toolVersion }, 1);
    },
  };
}
