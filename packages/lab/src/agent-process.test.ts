import { expect, test } from "vitest";
import { startAgent } from "./agent-process.ts";

test("an agent that ends is not waited for: the error has its exit code and what it wrote", async () => {
  const agent = startAgent(["sh", "-c", "echo no such flag >&2; exit 2"], []);
  const expected = /^the agent ended with exit code 2; it said:\n.*no such flag/s;
  await expect(agent.line(() => false, 60_000)).rejects.toThrow(expected);
  // Nor is one that ended before anybody asked.
  await expect(agent.line(() => false, 60_000)).rejects.toThrow(expected);
});
