import { describe, expect, test } from "vitest";
import { parseCommandLine } from "../flags/options.ts";
import { heldCapabilities } from "../kernel/capabilities.ts";
import { main } from "../main.ts";
import { outputTo } from "../output.ts";
import type { Surroundings } from "../surroundings.ts";
import { refuseUnprivileged, refuseUnspelt } from "./admission.ts";

const root = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\nCapAmb:\t0000000000000000\n";
const nobody = "Uid:\t65534\t65534\t65534\t65534\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\n";

interface Made {
  readonly terminal?: boolean;
  readonly kubernetes?: boolean;
  readonly status?: string;
}

function made({ terminal = false, kubernetes = false, status = root }: Made): Surroundings {
  return {
    onTerminal: () => terminal,
    inKubernetes: () => kubernetes,
    capabilities: () => heldCapabilities(status),
  };
}

function lineOf(argv: readonly string[]) {
  const line = parseCommandLine(argv);
  if ("problem" in line) throw new Error(line.problem);
  return line;
}

describe("the agent without the word run", () => {
  const unspelt = (argv: readonly string[], at: Made) => refuseUnspelt(lineOf(argv), argv, made(at));

  test("at a terminal outside Kubernetes: what it would do, how to spell it, and exit code 2", () => {
    const { text = "", exitCode } =
      unspelt(["--config=/a b", "--once", "--enable-ipv6", "--masq-chain=MINE"], { terminal: true }) ?? {};
    expect(exitCode).toBe(2);
    const [first, ...more] = text.split("\n");
    expect(first).toContain("ip-masq-agent run '--config=/a b' --once --enable-ipv6 --masq-chain=MINE");
    for (const part of ["/a b", "IPv4 and IPv6", "--backend=auto", "chain MINE", "one pass", "plan '--config=/a b'"])
      expect(more.join("\n")).toContain(part);
    expect(text).toMatch(/\nNothing was done\.\n$/);
  });

  test.each<readonly [string, readonly string[], Made]>([
    ["run is spelt", ["run"], { terminal: true }],
    ["no terminal, as with systemd", [], {}],
    ["in a pod, terminal or not", [], { terminal: true, kubernetes: true }],
    ["the node's name is given", ["--node-name=n1"], { terminal: true }],
    ["another command", ["validate"], { terminal: true }],
  ])("it may start: %s", (_, argv, at) => {
    expect(unspelt(argv, at)).toBeUndefined();
  });
});

describe("privileges", () => {
  const unprivileged = (argv: readonly string[], status: string) => refuseUnprivileged(lineOf(argv), made({ status }));

  test.each([
    [["run"]],
    [["--once"]],
    [["explain", "10.0.0.1"]],
    [["plan"]],
    [["cleanup"]],
    [["cleanup", "--dry-run"]],
  ])("%j as another user: one line, exit code 1", (argv) => {
    const refusal = unprivileged(argv, nobody);
    expect(refusal).toMatchObject({ exitCode: 1, proceed: false });
    expect(refusal?.text).toMatch(
      /^ip-masq-agent: \w+ needs root, or NET_ADMIN, and this is user 65534, without the capability NET_ADMIN; run it as root, for example with sudo\n$/,
    );
    expect(unprivileged(argv, root)).toBeUndefined();
  });

  test.each([[["validate"]], [["status"]], [["completion", "bash"]], [["help"]], [["version"]]])(
    "%j needs none",
    (argv) => {
      expect(unprivileged(argv, nobody)).toBeUndefined();
    },
  );

  test("doctor says so and goes on with what it can see", () => {
    expect(unprivileged(["doctor"], nobody)).toMatchObject({ proceed: true });
  });

  test("iptables-legacy needs NET_RAW too; root in a container may lack either", () => {
    const admin = "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000001000\n";
    expect(unprivileged(["run"], admin)).toBeUndefined();
    const text = unprivileged(["run", "--backend=iptables-legacy"], admin)?.text;
    expect(text).toContain("run needs root, or NET_ADMIN and NET_RAW, and root here lacks the capability NET_RAW");
    expect(text).toContain("add it to the container's capabilities");
  });

  test("another user hands on its ambient capabilities only", () => {
    const withFile = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000001000\nCapAmb:\t0000000000000000\n";
    expect(unprivileged(["plan"], withFile)).toMatchObject({ exitCode: 1 });
    expect(unprivileged(["plan"], withFile.replace(/CapAmb:\t0{16}/, "CapAmb:\t0000000000001000"))).toBeUndefined();
  });

  test("where there is no /proc, nothing is known to be missing", () => {
    expect(heldCapabilities("")).toBeUndefined();
    expect(unprivileged(["plan"], "")).toBeUndefined();
  });

  test("comes before anything else that a command finds: a config that cannot be read, say", async () => {
    const said: string[] = [];
    const write = (text: string) => void said.push(text);
    const output = outputTo({ out: write, err: write, colour: false });
    expect(await main(["plan", "--config=/nonexistent/nonsense"], output, made({ status: nobody }))).toBe(1);
    expect(said).toEqual([expect.stringContaining("plan needs root")]);
  });
});
