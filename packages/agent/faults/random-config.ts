import { pick } from "./campaign.ts";

/** Pieces of which configs are made: right, nearly right, and hostile. */
const keys = [
  "nonMasqueradeCIDRs",
  "NONMASQUERADECIDRS",
  "masqLinkLocal",
  "masqLinkLocalIPv6",
  "cidrLimit",
  "resyncInterval",
  "nonMasqueradeCIDR",
  "__proto__",
  "constructor",
  "",
  "ключ",
  "a\u001b[2J\u202e",
];
const scalars = [
  "10.0.0.0/8",
  "10.0.0.1/8",
  "fd00::/8",
  "::ffff:10.0.0.0/104",
  "0.0.0.0/0",
  "256.0.0.0/8",
  "true",
  "false",
  "null",
  "~",
  "60s",
  "0s",
  "-1h",
  "1e999",
  "99999999999999999999",
  "0x10",
  "64",
  "'quoted'",
  '"\\u0000\\u001b[31m"',
  "*unknown",
  "!!binary AAAA",
  "!!js/function 'x'",
  "|\n  block\n",
  "2026-01-01",
  ".inf",
  "x".repeat(5_000),
];

type Random = () => number;

/** A document by the grammar of YAML or JSON: mostly short, sometimes deep, wide or full of aliases. */
export function randomConfig(random: Random): string {
  const kind = random();
  if (kind < 0.05) return bomb(random);
  if (kind < 0.1) return "[".repeat(1 + Math.floor(random() * 5_000));
  if (kind < 0.15) return `${mapping(random, 0)}---\n${mapping(random, 0)}`;
  if (kind < 0.25)
    return JSON.stringify({ nonMasqueradeCIDRs: [pick(scalars, random)], [pick(keys, random)]: random() });
  const text = mapping(random, 0);
  return random() < 0.5 ? mutated(text, random) : text;
}

function mapping(random: Random, depth: number): string {
  const indent = "  ".repeat(depth);
  const lines = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
    const key = pick(keys, random);
    const roll = random();
    if (roll < 0.4) return `${indent}${key}: ${pick(scalars, random)}\n`;
    if (roll < 0.7) {
      const count = Math.floor(random() * (random() < 0.05 ? 2_000 : 6));
      return `${indent}${key}:\n${Array.from({ length: count }, () => `${indent}- ${pick(scalars, random)}\n`).join("")}`;
    }
    if (roll < 0.85 || depth > 4) return `${indent}${key}: [${pick(scalars, random)}, ${pick(scalars, random)}]\n`;
    return `${indent}${key}: &a${depth}\n${mapping(random, depth + 1)}`;
  });
  return lines.join("");
}

/** Aliases of aliases: few bytes, exponentially many nodes. */
function bomb(random: Random): string {
  const levels = 2 + Math.floor(random() * 12);
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let at = 1; at < levels; at++)
    lines.push(`a${at}: &a${at} [${Array.from({ length: 9 }, () => `*a${at - 1}`).join(", ")}]`);
  return `${lines.join("\n")}\nnonMasqueradeCIDRs: *a${levels - 1}\n`;
}

/** Bytes changed, taken out and repeated at random; the result need not be UTF-8. */
function mutated(text: string, random: Random): string {
  const bytes = [...Buffer.from(text)];
  for (let times = 1 + Math.floor(random() * 8); times > 0; times--) {
    const at = Math.floor(random() * bytes.length);
    const roll = random();
    if (roll < 0.4) bytes[at] = Math.floor(random() * 256);
    else if (roll < 0.7) bytes.splice(at, 1 + Math.floor(random() * 20));
    else bytes.splice(at, 0, ...bytes.slice(at, at + Math.floor(random() * 50)));
  }
  return Buffer.from(bytes).toString("latin1");
}
