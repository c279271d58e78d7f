import { type Backend, BackendError, type Capabilities } from "@ip-masq-agent/core";
import { type BackendName, type BackendOptions, backendNames, createBackend } from "./backends.ts";
import type { BackendChoice } from "./flags/flag.ts";

/** The backend to use, what it can do, and why it was chosen. */
export interface Choice {
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  readonly why: string;
  /** The others, whose rules from an earlier run go once ours are in force. */
  readonly former: readonly Backend[];
}

/** A backend to try, and the reason for it. */
interface Candidate {
  readonly name: BackendName;
  readonly why: string;
}

export interface ChooseOptions extends BackendOptions {
  /** Only a backend that can protect its rules is chosen, though the one made here need not. `protect: "on"` implies it. */
  readonly mustProtect?: boolean;
}

/** Finds the first backend of the choice that can run here. Rejects with the first one's `BackendError` if none can. */
export async function chooseBackend(choice: BackendChoice, given: ChooseOptions, signal: AbortSignal): Promise<Choice> {
  const { mustProtect = given.protect === "on", ...options } = given;
  const failures: BackendError[] = [];
  for (const { name, why } of mustProtect ? protecting(choice) : await candidates(choice, signal)) {
    const backend = await createBackend(name, options);
    try {
      if (mustProtect && options.protect !== "on")
        await (await createBackend(name, { ...options, protect: "on" })).probe(signal);
      const capabilities = await backend.probe(signal);
      const former = await Promise.all(
        backendNames.filter((other) => other !== name).map((other) => createBackend(other, { chain: options.chain })),
      );
      return { backend, capabilities, why, former };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined || others.length === 0) throw first ?? new Error("no backend to try");
  throw new BackendError({
    ...{ reason: first.reason, backend: first.backend, operation: "probe", family: undefined, stderr: first.stderr },
    message: `no backend can run here: ${failures.map((error) => `${error.backend}: ${error.message}`).join(" | ")}`,
    cause: first,
  });
}

/** With `--protect-rules=on` it is this backend or none: never rules that anybody can change. */
function protecting(choice: BackendChoice): readonly Candidate[] {
  const why =
    choice === "auto" ? "--protect-rules=on, and nftables alone can protect its rules" : `--backend=${choice}`;
  return [{ name: "nftables", why }];
}

async function candidates(choice: BackendChoice, signal: AbortSignal): Promise<readonly Candidate[]> {
  if (choice !== "auto" && choice !== "iptables") return [{ name: choice, why: `--backend=${choice}` }];
  const [{ nftablesHasKubeProxy }, { sightVariant }] = await Promise.all([
    import("@ip-masq-agent/backend-nftables"),
    import("@ip-masq-agent/backend-iptables"),
  ]);
  const [kubeProxyInNftables, nft, legacy] = await Promise.all([
    choice === "auto" ? nftablesHasKubeProxy({}, signal).catch(() => false) : false,
    sightVariant("nft", {}, signal),
    sightVariant("legacy", {}, signal),
  ]);
  const found: Candidate[] = [];
  if (kubeProxyInNftables) found.push({ name: "nftables", why: "kube-proxy has a table in nftables" });
  if (legacy.kubernetes) found.push({ name: "iptables-legacy", why: "Kubernetes' chains are in iptables-legacy" });
  if (nft.kubernetes) found.push({ name: "iptables-nft", why: "Kubernetes' chains are in iptables-nft" });
  if (choice === "auto") found.push({ name: "nftables", why: "no trace of kube-proxy, and nftables can run here" });
  // Two worlds of rules side by side are hard to reason about: the one in use goes first.
  const legacyFirst = legacy.inUse && !nft.inUse;
  const other = {
    name: "iptables-legacy",
    why: legacyFirst ? "the node's nat rules are in iptables-legacy" : "the only iptables that can run here",
  } as const;
  if (legacyFirst) found.push(other);
  found.push({ name: "iptables-nft", why: "iptables-nft can run here" });
  if (!legacyFirst) found.push(other);
  return found;
}
