import { type Family, type FamilyPolicy, type Masquerade, prefixSet, readPrefix } from "@ip-masq-agent/core";

/** A policy from the text of its exempt prefixes; fully random and without ports where nothing else is said. */
export function policy(
  family: Family,
  exempt: readonly string[],
  translation: Partial<Omit<Masquerade, "kind">> = {},
): FamilyPolicy {
  const prefixes = exempt.map((text) => {
    const prefix = readPrefix(family, text);
    if (prefix === undefined) throw new Error(`${text} is not an ${family} prefix`);
    return prefix;
  });
  return {
    family,
    exempt: prefixSet(family, prefixes),
    translation: { kind: "masquerade", randomFully: true, ports: [], ...translation },
  };
}
