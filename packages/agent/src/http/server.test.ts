import { createServer } from "node:net";
import { systemClock } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { createMetrics } from "../metrics/metrics.ts";
import { ListenError } from "./listen.ts";
import { type Health, routesOf } from "./routes.ts";
import { startServer } from "./server.ts";

async function serve(health: Partial<Health> = {}) {
  const metrics = createMetrics({ version: "1", commit: "c", nodeVersion: "v" }, ["IPv4"], systemClock);
  const routes = routesOf(metrics, { stalledMs: () => 0, notReady: () => undefined, ...health }, systemClock);
  const server = await startServer({ host: "127.0.0.1", port: 0 }, routes, systemClock);
  const get = async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
  };
  return { server, get };
}

describe("the paths", () => {
  test("metrics, health and readiness", async () => {
    const { server, get } = await serve();
    await using _server = server;
    expect(await get("/metrics")).toMatchObject({
      status: 200,
      type: expect.stringContaining("text/plain; version=0.0.4"),
    });
    const open = await get("/metrics", {
      headers: { accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" },
    });
    expect(open.type).toContain("application/openmetrics-text; version=1.0.0");
    expect(open.body).toMatch(/# EOF\n$/);
    expect((await get("/metrics?x=1")).body).toContain(
      'ip_masq_agent_build_info{version="1",commit="c",node_version="v"} 1',
    );
    expect(await get("/healthz")).toMatchObject({ status: 200, body: "ok\n" });
    expect(await get("/readyz")).toMatchObject({ status: 200, body: "ok\n" });
    expect(await get("/healthz", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect(await get("/")).toMatchObject({ status: 404, body: expect.stringContaining("/metrics") });
    expect(await get("/constructor")).toMatchObject({ status: 404 });
    expect(await get("/metrics", { method: "POST" })).toMatchObject({ status: 405 });
  });

  test("a stalled loop is not alive, a policy that is not in force not ready, and both say why", async () => {
    const { server, get } = await serve({ stalledMs: () => 200_000, notReady: () => "no config" });
    await using _server = server;
    expect(await get("/healthz")).toMatchObject({ status: 503, body: expect.stringContaining("200 s") });
    expect(await get("/readyz")).toMatchObject({ status: 503, body: "not ready: no config\n" });
  });
});

test("an agent that is ready and has something to say says it, and is ready", async () => {
  const { server, get } = await serve({ remark: () => "/c: does not exist any more" });
  await using _server = server;
  expect(await get("/readyz")).toMatchObject({ status: 200, body: "ok, but: /c: does not exist any more\n" });
});

test("a port that is taken is named, with the flag and what to do", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const failed = await startServer({ host: "127.0.0.1", port }, {}, systemClock).catch((error: unknown) => error);
  other.close();
  expect(failed).toBeInstanceOf(ListenError);
  expect(String(failed)).toContain(`--metrics-address 127.0.0.1:${port} is taken`);
});

test("closing does not wait for clients that keep their connection", async () => {
  const { server, get } = await serve();
  await get("/healthz");
  const started = performance.now();
  await server[Symbol.asyncDispose]();
  expect(performance.now() - started).toBeLessThan(1_000);
});
