import type { Choice } from "../choose.ts";
import { build } from "../version.ts";
import type { BackendStatus, ConfigStatus, DriftRecord, EventsStatus, FamilyStatus, Status } from "./status.ts";

/** What the agent knows of itself. */
export interface StatusParts {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** By a clock that only goes forward: the wall clock may have been set since. */
  readonly uptimeMs: number;
  readonly notReady: string | undefined;
  readonly backend?: { readonly choice: Choice; readonly isProtected: boolean; readonly events: EventsStatus };
  readonly config: ConfigStatus;
  readonly families: readonly FamilyStatus[];
  readonly drifts: readonly DriftRecord[];
}

const paths = ["/configz", "/flagz", "/healthz", "/metrics", "/readyz", "/statusz"];

/** The parts as one answer. */
export function statusOf({ startedAt, uptimeMs, notReady, backend, config, families, drifts }: StatusParts): Status {
  return {
    kind: "Statusz",
    apiVersion: "ip-masq-agent/v1alpha1",
    metadata: { name: "ip-masq-agent" },
    startTime: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.floor(uptimeMs / 1000),
    binaryVersion: build.version,
    commit: build.commit,
    nodeVersion: build.nodeVersion,
    paths,
    ...(notReady !== undefined && { notReady }),
    ...(backend && { backend: backendStatus(backend) }),
    ...{ config, families, drifts },
  };
}

function backendStatus({ choice, isProtected, events }: NonNullable<StatusParts["backend"]>): BackendStatus {
  const { backend, capabilities, why } = choice;
  const { variant, toolVersion } = capabilities;
  return { name: backend.name, variant, toolVersion, why, protected: isProtected, events };
}
