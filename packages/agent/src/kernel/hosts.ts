import { readFile } from "node:fs/promises";
import { parseAddress } from "@ip-masq-agent/core";

/** The addresses that a hosts file (hosts(5)) has for a name, in its order; names compare without regard to case. */
export async function addressesOf(name: string, file: string): Promise<readonly string[]> {
  return findInHosts(await readFile(file, "utf8"), name);
}

export function findInHosts(text: string, name: string): readonly string[] {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const found = text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return names.some((one) => one.toLowerCase() === wanted) && parseAddress(address) !== undefined ? [address] : [];
  });
  return [...new Set(found)];
}
