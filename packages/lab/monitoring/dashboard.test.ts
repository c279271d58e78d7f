import { expect, test } from "vitest";
import { buildDashboard } from "./dashboard.ts";
import { filled } from "./picture.ts";

const dashboard = buildDashboard();
const variables = (dashboard.templating?.list ?? []).map(({ name }) => name);
const exprs = (dashboard.panels ?? []).flatMap((panel) =>
  "targets" in panel ? (panel.targets ?? []).flatMap((target) => ("expr" in target ? [String(target.expr)] : [])) : [],
);

test("every query asks for the chosen job and cluster, and for variables that there are", () => {
  expect(exprs.length).toBeGreaterThan(10);
  for (const expr of exprs) {
    const used = [...expr.matchAll(/\$(\w+)/g)].flatMap(([, name = ""]) => (name === "__rate_interval" ? [] : [name]));
    expect(used).toEqual(expect.arrayContaining(["job", "cluster"]));
    expect(variables).toEqual(expect.arrayContaining(used));
    // An absent label is matched by "all" of its variable.
    expect(expr).toMatch(/cluster=~"\$cluster"/);
    expect(filled(expr, { one: "alpha" })).not.toContain("$");
  }
});
