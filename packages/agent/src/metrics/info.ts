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
  return {
    backend(name, variant, toolVersion) {
      backend.reset();
      backend.set({ backend: name, variant, tool_version: toolVersion }, 1);
    },
  };
}
