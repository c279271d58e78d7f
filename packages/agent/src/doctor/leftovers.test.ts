import { expect, test } from "vitest";
import { diagnose } from "./foreign-iptables.ts";

const told = (chains: readonly string[], rules: readonly string[], place: "here" | "elsewhere" = "elsewhere") => {
  const heads = ["POSTROUTING", ...chains].map((name) => `:${name} - [0:0]`);
  const lines = ["*nat", ...heads, ...rules.map((rule) => `-A ${rule}`), "COMMIT", ""];
  return diagnose(lines.join("\n"), "iptables-legacy", "OURS", place).map(
    ({ level, check, what }) => `${level} ${check} ${what}`,
  );
};
const marked = '-m comment --comment "ip-masq-agent: x"';

test("a chain under another name that decides is a warning, once, and its rules are not told besides", () => {
  const found = told(["OLD"], [`POSTROUTING ${marked} -j OLD`, "OLD -d 10.0.0.0/8 -j RETURN", "OLD -j MASQUERADE"]);
  expect(found).toEqual([expect.stringMatching(/^warning leftovers iptables-legacy: the chain OLD .*OURS/)]);
});

test("the original's chain is known by its name, where --masq-chain names another", () => {
  expect(told(["IP-MASQ-AGENT"], ["POSTROUTING -j IP-MASQ-AGENT", "IP-MASQ-AGENT -j MASQUERADE"])).toHaveLength(1);
});

test("chains that no rule leads to are for the record", () => {
  expect(told(["IP-MASQ", "OURS", "OLD"], ["IP-MASQ -j MASQUERADE", `OLD ${marked} -j MASQUERADE`])).toEqual(
    ["OLD", "IP-MASQ", "OURS"].map((name) => expect.stringMatching(`^info leftovers .* the chain ${name} is there`)),
  );
});

test("our comment in a chain of kube-proxy's makes it no leftover", () => {
  expect(told(["KUBE-POSTROUTING"], [`KUBE-POSTROUTING ${marked} -j RETURN`])).toEqual([]);
});

test("ACCEPT counts in the table where our jump is going to be, and in no other", () => {
  const accept = ["POSTROUTING -s 10.0.0.0/8 -j ACCEPT"];
  expect(told([], accept, "here")).toEqual([expect.stringMatching(/^warning foreign rules .*ACCEPT$/)]);
  expect(told([], accept)).toEqual([]);
});

test("a CNI plugin's rules, two chains for a hundred pods, are two findings with their number", () => {
  const ids = Array.from({ length: 100 }, (_, at) => `CNI-${at.toString(16).padStart(24, "0")}`);
  const rules = ids.flatMap((id) => [`POSTROUTING -s 10.244.1.5/32 -j ${id}`, `${id} ! -d 224.0.0.0/4 -j MASQUERADE`]);
  const found = told(ids, rules);
  expect(found).toHaveLength(2);
  expect(found[1]).toMatch(/a CNI plugin's ipMasq\) \(and 98 more like it\)$/);
});
