import { expect, test } from "vitest";
import type { Holder } from "./holder.ts";
import { writePlan } from "./write.ts";

test("each transaction of a plan that has ended is a step, and one that fails is none", async () => {
  const told: string[] = [];
  const holder: Holder = {
    async run(_, transaction) {
      if (transaction.startsWith("bad")) throw new Error("refused");
      told.push(transaction.trim());
    },
    holds: () => false,
    async [Symbol.asyncDispose]() {},
  };
  const runner = { launcher: [], timeoutMs: 1_000 };
  const plan = (transaction: string) => ({ family: "IPv4" as const, differences: [], transaction, summary: "" });
  const steps: number[] = [];
  const signal = new AbortController().signal;
  await writePlan(runner, holder, plan("one\n\ntwo\n\nthree\n"), signal, () => steps.push(told.length));
  expect(steps).toEqual([1, 2, 3]);
  const failing = writePlan(runner, holder, plan("four\n\nbad\n\nsix\n"), signal, () => steps.push(told.length));
  await expect(failing).rejects.toThrow("refused");
  expect(told).toEqual(["one", "two", "three", "four"]);
  expect(steps).toEqual([1, 2, 3, 4]);
});
