import { expect, test } from "vitest";
import { openMetricsPage } from "./metrics-page.ts";

test("a relay that cannot listen is reported with its reason, and not waited for", async () => {
  await expect(openMetricsPage([], "/nonexistent", 10266)).rejects.toThrow(/ended with exit code 1; .*listen E\w+: /s);
});
