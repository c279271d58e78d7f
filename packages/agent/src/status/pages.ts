import { formatDuration, formatPrefix } from "@ip-masq-agent/core";
import type { Desired } from "../desired.ts";
import { agentFlags } from "../flags/table.ts";
import type { Answer, Question, Routes } from "../http/answer.ts";
import { linesOf, textOf } from "../output.ts";
import { paintFor } from "../text/colour.ts";
import type { Status } from "./status.ts";
import { statusText } from "./text.ts";

/** What the pages show. */
export interface PageSource {
  status(): Status;
  desired(): Desired | undefined;
  /** Flags as they were given, by name. */
  readonly given: ReadonlyMap<string, string>;
}

/**
 * /statusz, /configz and /flagz in the form of Kubernetes' z-pages (KEP-4827, KEP-4828): text by default, JSON where the
 * client accepts it; for clients on this node alone, since they tell of the network.
 */
export function pagesOf(source: PageSource): Routes {
  const plain = paintFor(false);
  return {
    "/statusz": localOnly((question) => {
      const status = source.status();
      return page(question, "statusz", textOf(statusText(status, plain)), status);
    }),
    "/configz": localOnly((question) => {
      const config = configOf(source.desired());
      return page(question, "configz", textOf(settings(config)), { ...head("Configz"), config });
    }),
    "/flagz": localOnly((question) => {
      const flags = flagsOf(source.given);
      return page(question, "flagz", textOf(settings(flags)), {
        ...head("Flagz"),
        flags,
        given: [...source.given.keys()],
      });
    }),
  };
}

function head(kind: string): { readonly kind: string; readonly apiVersion: string; readonly metadata: object } {
  return { kind, apiVersion: "ip-masq-agent/v1alpha1", metadata: { name: "ip-masq-agent" } };
}

function localOnly(answer: (question: Question) => Answer): (question: Question) => Answer {
  return (question) =>
    question.local
      ? answer(question)
      : { status: 403, body: "this page is for clients on the node itself, by its loopback address\n" };
}

/** The head of Kubernetes' own pages says the same of theirs. */
function page({ acceptsJson }: Question, name: string, text: string, json: unknown): Answer {
  if (acceptsJson) {
    return { status: 200, body: textOf(linesOf(JSON.stringify(json, undefined, 2))), contentType: "application/json" };
  }
  const warning =
    "Warning: This page is for people and may change with any version; ask for application/json otherwise.";
  return { status: 200, body: `\nip-masq-agent ${name}\n${warning}\n\n${text}` };
}

function configOf(desired: Desired | undefined): Record<string, unknown> {
  if (desired === undefined) return {};
  const { nonMasqueradeCIDRs, resyncIntervalMs, ...rest } = desired.config;
  return {
    nonMasqueradeCIDRs: nonMasqueradeCIDRs.map(({ prefix }) => formatPrefix(prefix)),
    ...rest,
    resyncInterval: formatDuration(resyncIntervalMs),
  };
}

function flagsOf(given: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(agentFlags.map(({ name, default: fallback }) => [name, given.get(name) ?? fallback]));
}

function settings(values: Record<string, unknown>): readonly string[] {
  return Object.entries(values).map(([name, value]) => {
    return `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`;
  });
}
