import type { Difference } from "./drift.ts";

/** One rule of an ordered list: equal keys mean equal rules; the text is for people. */
export interface ListedRule {
  readonly key: string;
  readonly text: string;
}

/**
 * What differs between two ordered lists of rules, as drift. Rules on both sides anchor the comparison; between two
 * anchors, a rule missing and a rule extra at the same place are one that was modified. O(n).
 */
export function listDifferences(
  subject: string,
  expected: readonly ListedRule[],
  found: readonly ListedRule[],
): readonly Difference[] {
  // A flushed tree of chains: nothing to anchor a comparison of 50,000 rules at.
  if (found.length === 0) return expected.map(({ text }) => ({ kind: "missing", subject, expected: text }));
  const common = commonCounts(expected, found);
  const differences: Difference[] = [];
  const [wanted, seen] = [split(expected, common), split(found, common)];
  for (const [index, { before: missing }] of wanted.entries()) {
    const extra = seen[index]?.before ?? [];
    for (let at = 0; at < Math.max(missing.length, extra.length); at++) {
      const [should, does] = [missing[at]?.text, extra[at]?.text];
      if (should !== undefined && does !== undefined) {
        differences.push({ kind: "modified", subject, expected: should, found: does });
      } else if (should !== undefined) {
        differences.push({ kind: "missing", subject, expected: should });
      } else if (does !== undefined) {
        differences.push({ kind: "extra", subject, found: does });
      }
    }
  }
  const outOfOrder = wanted.find(({ anchor }, index) => anchor?.key !== seen[index]?.anchor?.key);
  const instead = outOfOrder && seen[wanted.indexOf(outOfOrder)]?.anchor;
  if (outOfOrder?.anchor && instead) {
    differences.push({ kind: "order", subject, expected: outOfOrder.anchor.text, found: instead.text });
  }
  return differences;
}

/** How often each key stands on both sides. */
function commonCounts(a: readonly ListedRule[], b: readonly ListedRule[]): ReadonlyMap<string, number> {
  const inA = Map.groupBy(a, ({ key }) => key);
  const counts = new Map<string, number>();
  for (const [key, rules] of Map.groupBy(b, ({ key }) => key)) {
    counts.set(key, Math.min(rules.length, inA.get(key)?.length ?? 0));
  }
  return counts;
}

/** The list cut at its anchors: each with the rules before it that stand on this side only; the last has no anchor. */
function split(
  rules: readonly ListedRule[],
  common: ReadonlyMap<string, number>,
): readonly { readonly before: readonly ListedRule[]; readonly anchor: ListedRule | undefined }[] {
  const left = new Map(common);
  const pieces: { before: ListedRule[]; anchor: ListedRule | undefined }[] = [{ before: [], anchor: undefined }];
  for (const rule of rules) {
    const piece = pieces.at(-1);
    const count = left.get(rule.key) ?? 0;
    if (count === 0) {
      piece?.before.push(rule);
    } else {
      left.set(rule.key, count - 1);
      if (piece) piece.anchor = rule;
      pieces.push({ before: [], anchor: undefined });
    }
  }
  return pieces;
}
