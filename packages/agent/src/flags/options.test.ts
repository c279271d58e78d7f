import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { commandHelp, flagReference, helpText } from "../commands/help.ts";
import { commands, flagsOf } from "./commands.ts";
import { parseCommandLine } from "./options.ts";
import { agentFlags } from "./table.ts";

const parse = (...argv: readonly string[]) => {
  const line = parseCommandLine(argv);
  return "problem" in line ? line.problem : line;
};

describe("Go's flag syntax", () => {
  test.each([
    [["--masq-chain=A"], { masqChain: "A" }],
    [["-masq-chain", "A"], { masqChain: "A" }],
    [["--masq-chain", "A", "--masq-chain=B"], { masqChain: "B" }],
    [["--enable-ipv6"], { enableIPv6: true }],
    [["--enable-ipv6=T", "-random-fully=0"], { enableIPv6: true, randomFully: false }],
    [["--enable-ipv6=true", "--enable-ipv6=FALSE"], { enableIPv6: false }],
    [
      ["--to-ports", "1024-2047,4000"],
      {
        toPorts: [
          { first: 1024, last: 2047 },
          { first: 4000, last: 4000 },
        ],
      },
    ],
    [["--to-ports="], { toPorts: [] }],
    [["--resync-interval=90s"], { resyncInterval: 90_000 }],
    [["--config-map=kube-system/a.b"], { configMap: { namespace: "kube-system", name: "a.b" } }],
    [["--events", "--exempt-pod-cidrs", "--node-name=n1.example"], { events: true, exemptPodCidrs: true }],
    [["--resync-interval=30"], { resyncInterval: 30_000 }],
    [["--metrics-address="], { metricsAddress: undefined }],
    [["--metrics-address=[::1]:9"], { metricsAddress: { host: "::1", port: 9 } }],
    [["--metrics-address=:0"], { metricsAddress: { host: undefined, port: 0 } }],
    [["--v=4", "--logtostderr", "--stderrthreshold", "2"], { v: 4 }],
    [["--masq-chain=ABCDEFGHIJKLMNOPQRSTUVWXYZAB"], { masqChain: "ABCDEFGHIJKLMNOPQRSTUVWXYZAB" }],
  ])("%j", (argv, options) => {
    expect(parse(...argv)).toMatchObject({ command: "run", options });
  });

  test("klog's flags are told apart, with and without a value", () => {
    expect(parse("--vmodule=a=2", "--alsologtostderr=false")).toMatchObject({
      ignored: ["alsologtostderr", "vmodule"],
    });
  });

  test("validate takes a path, before or after the flags", () => {
    expect(parse("validate", "f", "--enable-ipv6")).toMatchObject({ command: "validate", words: ["f"] });
    expect(parse("--enable-ipv6", "validate", "f")).toMatchObject({ command: "validate", words: ["f"] });
    expect(parse("validate")).toMatchObject({ command: "validate", words: [] });
  });
});

test("commands have flags of their own, with short names", () => {
  expect(parse("status", "-o", "json")).toMatchObject({ command: "status", options: { output: "json" } });
  expect(parse("explain", "10.0.0.1", "--protocol=TCP", "--port=53", "--from", "fd00::1")).toMatchObject({
    words: ["10.0.0.1"],
    options: { protocol: "tcp", port: 53, from: "fd00::1", hostsFile: "/etc/hosts" },
  });
  expect(parse("plan", "--script")).toMatchObject({ options: { script: true } });
});

test.each(commands.map(({ name }) => name))("%s --help names its flags and exit codes, and fits a terminal", (name) => {
  const text = commandHelp(name);
  for (const flag of flagsOf(name)) expect(text).toContain(`--${flag.name}`);
  expect(text).toContain("Exit codes:");
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});

test("help and version are commands, and so is run", () => {
  expect(parse("help")).toMatchObject({ command: "help", words: [] });
  expect(parse("help", "plan")).toMatchObject({ command: "help", words: ["plan"] });
  expect(parse("version")).toMatchObject({ command: "version" });
  for (const { name } of commands) {
    expect(parse(name, "help")).toMatchObject({ command: name, options: { help: true } });
    expect(parse(name, "--help")).toMatchObject({ command: name, options: { help: true } });
  }
  expect(parse("explain", "help.")).toMatchObject({ options: { help: false }, words: ["help."] });
  expect(parse("run", "--once")).toMatchObject({ command: "run", named: true, options: { once: true } });
  expect(parse("--once")).toMatchObject({ command: "run", named: false });
});

describe("what is refused, with the flag, the value and a remedy", () => {
  test.each([
    [["--nope"], "unknown flag --nope; see --help"],
    [["--enable-ip6"], "did you mean --enable-ipv6?"],
    [["--enable-vip6"], "did you mean --enable-ipv6?"],
    [["--metrics-adres=:1"], "did you mean --metrics-address?"],
    [["--backedn=nftables"], "did you mean --backend?"],
    [["--x=1"], "unknown flag --x; see --help"],
    [["explian", "10.0.0.1"], 'unexpected "explian 10.0.0.1"; did you mean explain?; see --help'],
    [["clenaup"], "did you mean cleanup?"],
    [["rnu"], "did you mean run?"],
    [["start"], "the commands are run, validate, explain"],
    [["help", "doctro"], 'there is no command "doctro"; did you mean doctor?'],
    [["help", "plan", "now"], 'unexpected "now" behind help'],
    [["version", "1"], 'unexpected "1" behind version'],
    [["status", "--force"], "--force is a flag of cleanup"],
    [["--enableIPv6"], "did you mean --enable-ipv6?"],
    [["--masq-chain"], "--masq-chain needs a value"],
    [["foo", "bar"], 'unexpected "foo bar"'],
    [["--", "--masq-chain", "A"], 'unexpected "--masq-chain A"'],
    [["--enable-ipv6", "true"], 'unexpected "true"'],
    [["validate", "a", "b"], 'unexpected "b"'],
    [["--enable-ipv6=maybe"], '--enable-ipv6 "maybe" is neither true nor false'],
    [["--logtostderr=maybe"], '--logtostderr "maybe" is neither true nor false'],
    [["---x"], "is no flag"],
    [["--=x"], "is no flag"],
    [["--masq-chain="], '--masq-chain "" is empty'],
    [["--masq-chain=ABCDEFGHIJKLMNOPQRSTUVWXYZABC"], "has 29 bytes"],
    [["--masq-chain=MY CHAIN"], "has a space"],
    [["--masq-chain=A\nB"], "control character"],
    [["--masq-chain=-A"], "begins with -"],
    [["--masq-chain=!A"], "begins with !"],
    [["--masq-chain=POSTROUTING"], "built-in chain"],
    [["--masq-chain=MASQUERADE"], "a target"],
    [["--masq-chain=IPMASQ-TRANSLATE"], "a chain of the tree"],
    [["--masq-chain=IPMASQ-0a000000-8"], "a chain of the tree"],
    [["--to-ports=0"], "port 0"],
    [["--to-ports=0-100"], "port 0"],
    [["--to-ports=65536"], "above 65535"],
    [["--to-ports=99999999999999999999"], "above 65535"],
    [["--to-ports=42-41"], "end is before its start"],
    [["--to-ports=42, 43"], '" 43"'],
    [["--to-ports=1024,"], '""'],
    [["--to-ports=4x"], '"4x"'],
    [["--to-ports=-5"], '"-5"'],
    [["--to-ports=1-2-3"], '"1-2-3"'],
    [["--backend=ebtables"], "use auto, nftables, iptables, iptables-nft, iptables-legacy"],
    [["--resync-interval=1d"], "write a Go duration"],
    [["--resync-interval=99ms"], "shorter than 100ms"],
    [["--metrics-address=10266"], "is not an address with a port"],
    [["--config-map=ip-masq-agent"], "write NAMESPACE/NAME"],
    [["--config-map=a/../b"], "write NAMESPACE/NAME"],
    [["--config-map=a/b", "--config=/c"], "give one of them"],
    [["--node-name=Node_1"], "is no name of a node"],
    [["--cache-dir="], "name a directory"],
    [["--metrics-address=:65536"], "is not an address with a port"],
    [["--log-format=xml"], "use json, text"],
    [["--v=high"], "is not a whole number"],
    [["--config="], "is empty"],
    [["explain"], "explain needs DEST"],
    [["explain", "a", "b"], 'unexpected "b" behind explain'],
    [["explain", "a", "--from=10.0.0.0/8"], "is not an address"],
    [["explain", "a", "--port=0"], "is not a port"],
    [["plan", "--from=10.0.0.1"], "--from is a flag of explain"],
    [["--script"], "--script is a flag of plan"],
    [["status", "-o", "yaml"], "use text, json"],
    [["--protect-rules=yes"], "use auto, on, off"],
    [["--drift-check-interval=10ms"], "shorter than 100ms"],
    [["--missing-config=ignore"], "use defaults, keep, fail"],
  ])("%j", (argv, message) => {
    expect(parse(...argv)).toContain(message);
  });
});

describe("--protect-rules=on with a backend that cannot protect", () => {
  test.each(["iptables", "iptables-nft", "iptables-legacy"])("%s is refused, and each remedy is taken", (backend) => {
    const problem = parse("--protect-rules=on", `--backend=${backend}`);
    expect(problem).toBe(
      `--protect-rules=on does not go with --backend=${backend}: rules of iptables cannot be protected; use --backend=nftables, or --protect-rules=auto`,
    );
    expect(parse("--protect-rules=on", "--backend=nftables")).toMatchObject({ options: { backend: "nftables" } });
    expect(parse("--protect-rules=auto", `--backend=${backend}`)).toMatchObject({ options: { backend } });
    expect(parse("--protect-rules=on")).toMatchObject({ options: { backend: "auto" } });
  });
});

test("a path that is given is told from the default, also where it is the same", () => {
  expect(parse()).toMatchObject({ options: { config: "/etc/config/ip-masq-agent", configGiven: false } });
  expect(parse("--config=/etc/config/ip-masq-agent")).toMatchObject({ options: { configGiven: true } });
});

test("the help names every flag, and fits a terminal", () => {
  const text = helpText();
  for (const { name } of agentFlags) expect(text).toContain(`--${name}`);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});

test("docs/flags.md is the table of flags, word for word", () => {
  expect(readFileSync(new URL("../../../../docs/flags.md", import.meta.url), "utf8")).toBe(flagReference());
});

test("commands in README and docs/operating.md are understood", () => {
  const lines = ["README.md", "docs/operating.md"].flatMap((name) => {
    const text = readFileSync(new URL(`../../../../${name}`, import.meta.url), "utf8");
    return [...text.matchAll(/^(?:\$ |\.\/)ip-masq-agent (.*?)(?: +#.*)?$/gm)].map(([, words = ""]) => words);
  });
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const parsed = parse(...line.split(" "));
    expect({ line, parsed }).toEqual({ line, parsed: expect.objectContaining({ named: true }) });
  }
});
