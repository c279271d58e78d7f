import type { BackendError, Clock, Family, Policy, ReconcileEvent, Standing } from "@ip-masq-agent/core";
import { Registry, type RegistryContentType } from "prom-client";
import type { ApiReason } from "../kubernetes/api-error.ts";
import { apiMetrics } from "./api.ts";
import { configMetrics } from "./config.ts";
import { driftMetrics } from "./drift.ts";
import { type Build, infoMetrics } from "./info.ts";
import { kernelMetrics, type ReadCounters } from "./kernel.ts";
import { syncMetrics } from "./sync.ts";

/** Everything the agent tells Prometheus. Takes facts in, knows nothing of where they come from. */
export interface Metrics {
  readonly contentType: string;
  onEvent(event: ReconcileEvent): void;
  /** Where to ask at each scrape what is known of the rules. */
  rulesKnownBy(standings: () => readonly Standing[]): void;
  configLoaded(policy: Policy, hash: string, warnings: number): void;
  configRefused(): void;
  /** Whether there is no config although one is called for. */
  configMissing(isMissing: boolean): void;
  /** A backend is about to be tried: its failure series exist from here on. */
  expectBackend(name: string): void;
  backendChosen(name: string, variant: string, toolVersion: string, read: ReadCounters): void;
  /** Whether the backend's rules are owned. */
  protection(backend: string, isProtected: boolean): void;
  /** Whether the kernel tells of changes, and how to learn how much memory that takes (kept from then on). */
  kernelEvents(backend: string, up: boolean, residentBytes?: () => number | undefined): void;
  /** A backend could not be started; it counts for every family. */
  backendFailed(error: BackendError): void;
  /** The API server is going to be asked for this resource, and perhaps for a watch of it. */
  expectApi(resource: string, watched: boolean): void;
  apiWatch(resource: string, up: boolean): void;
  apiFailed(resource: string, reason: ApiReason): void;
  /** Every metric there can be, in the order of its creation. */
  describe(): readonly MetricDescription[];
  /** The page, with the kernel's counters as of now (5 s at most). Waits for them for 1 s at most. */
  text(): Promise<string>;
  /** The same in OpenMetrics' form, for clients that ask for it, with its content type. */
  openMetrics(): Promise<{ readonly text: string; readonly contentType: string }>;
}

export interface MetricDescription {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export function createMetrics(build: Build, families: readonly Family[], clock: Clock): Metrics {
  const registry = new Registry();
  const sync = syncMetrics(registry);
  let standings: () => readonly Standing[] = () => [];
  const drift = driftMetrics(registry, () => standings());
  const config = configMetrics(registry);
  const info = infoMetrics(registry, build);
  const api = apiMetrics(registry);
  const kernel = kernelMetrics(registry, clock);
  return {
    contentType: registry.contentType,
    onEvent(event) {
      sync.onEvent(event);
      drift.onEvent(event);
      kernel.onEvent(event);
    },
    rulesKnownBy(source) {
      standings = source;
    },
    configLoaded: (policy, hash, warnings) => config.loaded(policy, hash, warnings, clock.wall()),
    configRefused: () => config.refused(),
    configMissing: (isMissing) => config.missing(isMissing),
    expectBackend(name) {
      sync.expect(name, families);
      drift.expect(name, families);
    },
    backendChosen(name, variant, toolVersion, read) {
      info.backend(name, variant, toolVersion);
      kernel.expect(families, read);
    },
    protection: (backend, isProtected) => info.guarded(backend, isProtected),
    kernelEvents: (backend, up, residentBytes) => info.events(backend, up, residentBytes),
    backendFailed: (error) => sync.failed(error, families),
    expectApi: (resource, watched) => api.expect(resource, watched),
    apiWatch: (resource, up) => api.watch(resource, up),
    apiFailed: (resource, reason) => api.failed(resource, reason),
    describe: () =>
      registry.getMetricsAsArray().map((metric) => ({
        name: metric.name,
        // prom-client keeps these on its metrics, though its types do not say so.
        type: String(metric.type),
        labels: "labelNames" in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [],
        help: metric.help,
      })),
    async text() {
      await kernel.refresh();
      return registry.metrics();
    },
    async openMetrics() {
      await kernel.refresh();
      // The same metrics in a second registry: each has one form.
      const open: Registry<RegistryContentType> = Registry.merge([registry]);
      open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
      return { text: await open.metrics(), contentType: open.contentType };
    },
  };
}
