import { systemClock } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { sharePage } from "./shared-page.ts";

function pageAt() {
  const clock = { ...systemClock, now: 0, monotonic: () => clock.now };
  const made: PromiseWithResolvers<{ readonly text: string; readonly contentType: string }>[] = [];
  const page = sharePage(() => {
    const next = Promise.withResolvers<{ readonly text: string; readonly contentType: string }>();
    made.push(next);
    return next.promise;
  }, clock);
  const give = (text: string) => made.at(-1)?.resolve({ text, contentType: "text/plain" });
  return { clock, made, page, give };
}

test("all who ask while a page is made are given that one, and those who come soon after as well", async () => {
  const { clock, made, page, give } = pageAt();
  const asked = [page(1_000), page(50), page(1_000)];
  give("first");
  const pages = await Promise.all(asked);
  expect(new Set(pages).size).toBe(1);
  clock.now = 999;
  expect(await page(1_000)).toBe(pages[0]);
  expect(made).toHaveLength(1);
  const fresh = page(50);
  give("second");
  expect(String((await fresh).body)).toBe("second");
});

test("one that failed is made again for the next who asks", async () => {
  const { made, page, give } = pageAt();
  const failed = page(1_000);
  made[0]?.reject(new Error("no registry"));
  await expect(failed).rejects.toThrow("no registry");
  const next = page(1_000);
  give("well");
  expect(String((await next).body)).toBe("well");
});
