import { agentFile } from "@ip-masq-agent/lab";
import { expect, test } from "vitest";
import { openNode } from "./node-under-test.ts";

test("few source ports are warned of in the log, and by plan and doctor", async () => {
  await using node = await openNode();
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
  const ports = "--to-ports=2000-2099";
  const running = node.start("--backend=nftables", ports);
  const line = await running.line(({ code }) => code === "few-ports");
  expect(line).toMatchObject({ level: "warn", msg: expect.stringContaining("has 100 ports in all") });
  await running.line(({ msg }) => msg.startsWith("rules"));
  const ask = (command: string) =>
    node.lab.run([process.execPath, agentFile, command, ports, "--backend=nftables", `--config=${node.file}`]);
  expect((await ask("plan")).stderr).toMatch(/^warning: --to-ports: "2000-2099": has 100 ports/m);
  expect((await ask("doctor")).stdout).toMatch(/^warning +config +--to-ports: "2000-2099": has 100/m);
});
