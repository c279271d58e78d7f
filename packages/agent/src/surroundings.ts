import { existsSync } from "node:fs";
import { isatty } from "node:tty";
import { type Held, ownCapabilities } from "./kernel/capabilities.ts";

/** What this process was started in. Handed to `main`, so that a test can make it up. */
export interface Surroundings {
  /** Standard input, output or error is a terminal: a person is there. */
  onTerminal(): boolean;
  /** Started by Kubernetes, as a pod or with a node's name in its environment. */
  inKubernetes(): boolean;
  /** Undefined: it cannot be told. */
  capabilities(): Held | undefined;
}

/** Where a pod has its token; absent where automountServiceAccountToken is false. */
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

export const ownSurroundings: Surroundings = {
  onTerminal: () => [0, 1, 2].some((fd) => isatty(fd)),
  inKubernetes: () =>
    ["KUBERNETES_SERVICE_HOST", "NODE_NAME"].some((name) => (process.env[name] ?? "") !== "") ||
    existsSync(serviceAccount),
  capabilities: ownCapabilities,
};
