import { BackendError, type ReconcileEvent } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { createNarrator, type Story } from "./story.ts";

const of = { backend: "nftables", family: "IPv4", at: 0 } as const;
const synced = (rest: object): ReconcileEvent =>
  ({
    ...of,
    type: "synced",
    trigger: "hint",
    result: "in_sync",
    durationMs: 1,
    summary: "",
    readings: [],
    ...rest,
  }) as ReconcileEvent;
const error = new BackendError({
  ...{ reason: "rejected", backend: "nftables", family: "IPv4", operation: "apply", stderr: "", message: "refused" },
});

function listen() {
  const told: Story[] = [];
  return {
    told,
    reasons: () => told.map(({ reason }) => reason),
    narrator: createNarrator(
      (story) => told.push(story),
      () => "nftables",
    ),
  };
}

describe("what is a story", () => {
  test("a drift is one when it is repaired: what, and by whom", () => {
    const { narrator, told } = listen();
    narrator.onEvent({
      ...{ ...of, type: "drift", by: { process: "evil", pid: 7 } },
      differences: [{ kind: "missing", subject: "set exempt", expected: "10.0.0.0/8" }],
    });
    expect(told).toEqual([]);
    narrator.onEvent(synced({ result: "applied", repair: { result: "repaired", afterMs: 5 } }));
    expect(told).toEqual([
      {
        reason: "DriftRepaired",
        type: "Warning",
        message: expect.stringContaining("IPv4, nftables: 1 missing, by evil (pid 7)"),
      },
    ]);
  });

  test("a pass that found nothing to do is none", () => {
    const { narrator, told } = listen();
    narrator.onEvent(synced({}));
    narrator.onEvent(synced({ result: "applied" }));
    expect(told).toEqual([]);
  });

  test("failing is told once, and recovery only after it; each family by itself", () => {
    const { narrator, reasons } = listen();
    for (let at = 0; at < 3; at++) narrator.onEvent(synced({ result: "failed", error }));
    narrator.onEvent(synced({ family: "IPv6" }));
    narrator.onEvent(synced({}));
    narrator.onEvent(synced({}));
    expect(reasons()).toEqual(["ApplyFailed", "ApplyRecovered"]);
  });

  test("a conflict is two, when it begins and when it is over; what happens in it is none", () => {
    const { narrator, told, reasons } = listen();
    const conflict = { ...of, type: "conflict", since: 0, undone: 5, by: { process: "evil", pid: 7 } } as const;
    narrator.onEvent({ ...conflict, state: "begins" });
    for (let at = 0; at < 5; at++) {
      narrator.onEvent({ ...of, type: "drift", differences: [{ kind: "missing", subject: "chain" }] });
      narrator.onEvent(synced({ result: "applied", repair: { result: "repaired", afterMs: 5 } }));
      narrator.onEvent({ ...conflict, state: "goes on", undone: 6 + at });
      narrator.onEvent(synced({ result: "failed", error, undone: true }));
    }
    narrator.onEvent({ ...conflict, state: "over", undone: 10 });
    expect(reasons()).toEqual(["RulesContested", "RulesUncontested"]);
    expect(told[0]).toMatchObject({
      type: "Warning",
      message: expect.stringMatching(/IPv4, nftables.*5 times since 1970-.*evil \(pid 7\)/),
    });
    expect(told[1]).toMatchObject({ type: "Normal", message: expect.stringContaining("10 times") });
  });

  test("a backend that cannot start, and does in the end", () => {
    const { narrator, reasons } = listen();
    narrator.onStarted();
    narrator.onStartFailed("no nft");
    narrator.onStartFailed("no nft");
    narrator.onStarted();
    expect(reasons()).toEqual(["ApplyFailed", "ApplyRecovered"]);
  });

  test("a config accepted is one only after a rejection", () => {
    const { narrator, reasons } = listen();
    narrator.configAccepted("a");
    narrator.configRejected("b");
    narrator.configAccepted("c");
    narrator.configAccepted("d");
    expect(reasons()).toEqual(["ConfigRejected", "ConfigAccepted"]);
  });

  test("a config that is missing is told when it goes and when it comes", () => {
    const { narrator, reasons } = listen();
    narrator.configFound();
    for (let round = 0; round < 2; round++) {
      narrator.configMissing("a");
      narrator.configMissing("b");
      narrator.configFound();
      narrator.configFound();
    }
    expect(reasons()).toEqual(["ConfigMissing", "ConfigFound", "ConfigMissing", "ConfigFound"]);
  });

  test("a backend switched is told once for both families, and a family switched off is no switch", () => {
    const { narrator, told } = listen();
    for (const family of ["IPv4", "IPv6"] as const) {
      narrator.onEvent({ ...of, family, type: "removed", backend: "iptables-nft", what: ["chain"] });
      narrator.onEvent({ ...of, family, type: "removed", backend: "iptables-legacy", what: [] });
      narrator.onEvent({ ...of, family, type: "removed", what: ["table"] });
    }
    expect(told.map(({ message }) => message)).toEqual([
      "Masquerade rules are in nftables now; those in iptables-nft have been removed",
    ]);
  });
});
