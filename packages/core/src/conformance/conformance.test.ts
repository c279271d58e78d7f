import { expect, test } from "vitest";
import type { Family } from "../address/family.ts";
import { createMemoryBackend, type MemoryBackend, memoryKernel } from "../memory-backend.ts";
import { type ConformanceOptions, conformance, type Subject, type Tampering } from "./index.ts";

interface MemorySubject extends Subject {
  readonly backend: MemoryBackend;
}

/** Changes the lines that a kernel made of memory holds. */
function tampering(
  name: string,
  change: (lines: readonly string[]) => readonly string[] | undefined,
  ...kinds: Tampering["kinds"]
): Tampering<MemorySubject> {
  return {
    name,
    kinds,
    async tamper({ backend: { kernel } }, family) {
      const lines = change(kernel.lines.get(family) ?? []);
      if (lines === undefined) kernel.lines.delete(family);
      else kernel.lines.set(family, lines);
    },
  };
}

const noKernel = "its rules are kept in memory, where nothing passes and nobody else writes";

const options: Omit<ConformanceOptions<MemorySubject>, "test"> = {
  name: "memory",
  open: async () => subjectOf(createMemoryBackend(memoryKernel())),
  tamperings: [
    tampering("everything is deleted", () => undefined, "table"),
    tampering("a rule is deleted", (lines) => lines.slice(1), "missing"),
    tampering("a rule is added", (lines) => ["exempt 1.1.1.1/32", ...lines], "extra"),
    tampering("a rule is another", ([, ...lines]) => ["exempt 1.1.1.1/32", ...lines], "missing", "extra"),
    tampering("the order is another", (lines) => lines.toReversed(), "order"),
  ],
  limits: { packets: noKernel, counters: noKernel, foreign: noKernel, rejection: "it takes any text" },
};

conformance({ ...options, test });

test("what is left out is reported with its reason, and not declared", () => {
  const reported: string[] = [];
  const { titles } = collect({ limits: { packets: "of a reason" }, report: (line) => reported.push(line) });
  expect(reported).toHaveLength(1);
  expect(reported[0]).toMatch(/^memory: \d+ tests are left out, because of a reason:\n/);
  expect(reported[0]).toContain("\n  atomicity: no new flow sees a wrong decision while policies are switched\n");
  expect(titles.filter((title) => title.includes("atomicity"))).toHaveLength(2);
});

/** A backend that gets one thing wrong, and the properties that must notice. */
test.each<readonly [fault: string, spoiled: (backend: MemoryBackend) => Partial<MemoryBackend>, properties: string[]]>([
  ["writes nothing", () => ({ apply: async () => {} }), ["cleanup", "convergence", "drift", "families", "idempotence"]],
  [
    "plans a write always",
    (backend) => ({ plan: (desired, seen) => ({ ...backend.plan(desired, seen), transaction: "IPv4\nmasquerade" }) }),
    ["convergence", "drift", "families", "idempotence"],
  ],
  [
    "sees no drift but in what is missing",
    (backend) => ({
      plan(desired, seen) {
        const plan = backend.plan(desired, seen);
        const noticed = plan.differences.some(({ kind }) => kind === "missing" || kind === "table");
        return noticed ? plan : { ...plan, differences: [], transaction: "" };
      },
    }),
    ["convergence", "drift"],
  ],
  ["cleans nothing up", () => ({ cleanup: async () => [] }), ["cleanup"]],
  ["lists nothing to remove", () => ({ removable: async () => [] }), ["cleanup"]],
  ["removes what it is to list", (backend) => ({ removable: backend.cleanup }), ["cleanup"]],
  [
    "cleans both families up",
    (backend) => ({
      async cleanup(family, signal) {
        const other: Family = family === "IPv4" ? "IPv6" : "IPv4";
        return [...(await backend.cleanup(family, signal)), ...(await backend.cleanup(other, signal))];
      },
    }),
    ["families"],
  ],
  [
    "reads an empty policy back",
    (backend) => ({
      observe: async (family, signal) => ({ ...(await backend.observe(family, signal)), policy: undefined }),
    }),
    ["convergence", "drift", "families"],
  ],
])("a backend that %s is found out", async (_fault, spoiled, properties) => {
  const { run } = collect({
    open: async () => {
      const backend = createMemoryBackend(memoryKernel());
      return subjectOf({ ...backend, ...spoiled(backend) });
    },
  });
  const failed = await run();
  expect([...new Set(failed.map((title) => /^memory: (\w+)/.exec(title)?.[1]))].sort()).toEqual(properties);
});

test("an option that is missing without a reason fails its tests", async () => {
  const { foreign: _, rejection: __, ...limits } = options.limits ?? {};
  const failed = await collect({ limits }).run();
  expect(failed).toContain("memory: foreign: rules of others survive write, repair and cleanup");
  expect(failed).toContain("memory: atomicity, IPv6: what the kernel rejects changes nothing");
});

/** Declares the kit's tests without a runner; `run` gives the titles of those that fail. */
function collect(changes: Partial<ConformanceOptions<MemorySubject>>) {
  const declared: { readonly title: string; readonly run: () => Promise<void> }[] = [];
  conformance({ ...options, report: () => {}, ...changes, test: (title, run) => declared.push({ title, run }) });
  return {
    titles: declared.map(({ title }) => title),
    async run(): Promise<readonly string[]> {
      const results = await Promise.allSettled(declared.map(({ run }) => run()));
      return declared.filter((_, index) => results[index]?.status === "rejected").map(({ title }) => title);
    },
  };
}

function subjectOf(backend: MemoryBackend): MemorySubject {
  return { backend, [Symbol.asyncDispose]: async () => {} };
}
