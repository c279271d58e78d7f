import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { buildDashboard } from "./dashboard.ts";
import type { Monitoring, Series } from "./prometheus.ts";

/** A panel with what its queries gave. */
interface Drawn {
  readonly title: string;
  readonly kind: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly unit: string;
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
}

/** Values of the dashboard's variables by name. */
type Variables = Readonly<Record<string, string>>;

/** Seconds that the picture looks back. */
const span = 180;

/** Draws the dashboard's panels from a Prometheus' data: a page of our own in a browser, in the places that Grafana gives them. */
export async function drawDashboard(
  monitoring: Monitoring,
  file: string,
  browser: string,
  variables: Variables,
): Promise<void> {
  const rows: (string | Drawn)[] = [];
  for (const panel of buildDashboard().panels ?? []) {
    if (panel.type === "row") rows.push((panel.title ?? "").replace("$one", variables["one"] ?? ""));
    else if ("targets" in panel) rows.push(await drawn(monitoring, panel, variables));
  }
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-picture-"));
  try {
    const page = join(directory, "page.html");
    await writeFile(page, html(rows));
    const running = await chromium.launch({ executablePath: browser, args: ["--no-sandbox"] });
    try {
      const tab = await running.newPage({ viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 });
      await tab.goto(pathToFileURL(page).href);
      await tab.screenshot({ path: file, fullPage: true });
    } finally {
      await running.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Panel = Extract<NonNullable<ReturnType<typeof buildDashboard>["panels"]>[number], { targets?: unknown }>;

async function drawn(monitoring: Monitoring, panel: Panel, variables: Variables): Promise<Drawn> {
  const series: Drawn["series"][number][] = [];
  for (const target of panel.targets ?? []) {
    if (!("expr" in target) || typeof target.expr !== "string") continue;
    const legend = "legendFormat" in target && typeof target.legendFormat === "string" ? target.legendFormat : "";
    for (const one of await monitoring.range(filled(target.expr, variables), span))
      series.push({ name: nameOf(one, legend), points: pointsOf(one) });
  }
  return {
    title: panel.title ?? "",
    kind: panel.type,
    width: panel.gridPos?.w ?? 8,
    unit: panel.fieldConfig?.defaults.unit ?? "",
    series,
  };
}

/** The expression with the variables as a reader would have them: those that are given, all of the others. */
export function filled(expr: string, variables: Variables): string {
  const values: Variables = { __rate_interval: "10s", ...variables };
  return expr.replaceAll(/\$(\w+)/g, (_, name: string) => values[name] ?? ".*");
}

function nameOf({ metric }: Series, legend: string): string {
  if (legend !== "") return legend.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => metric[name] ?? "");
  const { __name__, job, cluster, namespace, container, endpoint, instance, ...rest } = metric;
  return Object.values(rest).join(" ") || (__name__ ?? "");
}

function pointsOf({ values }: Series): readonly (readonly [number, number])[] {
  return values.flatMap(([time, value]) => (Number.isFinite(Number(value)) ? [[time, Number(value)] as const] : []));
}

function html(rows: readonly (string | Drawn)[]): string {
  const body = rows.map((row) => (typeof row === "string" ? `<h2>${escaped(row)}</h2>` : panelHtml(row))).join("\n");
  return `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 12px; background: #111217; color: #ccccdc; font: 12px "DejaVu Sans", sans-serif; display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px }
h2 { grid-column: 1 / -1; font-size: 14px; margin: 8px 0 0 }
section { background: #181b1f; border: 1px solid #2c3036; border-radius: 3px; padding: 8px; min-width: 0; overflow: hidden; height: 170px }
h3 { font-size: 12px; margin: 0 0 6px; font-weight: 600 }
.stat { font-size: 34px; color: #73bf69; line-height: 1.25 } .stat small { font-size: 12px; color: #9fa7b3 }
.legend { color: #9fa7b3; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
table { width: 100%; border-collapse: collapse } td { border-bottom: 1px solid #2c3036; padding: 3px }
</style>${body}`;
}

const colours = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#b877d9", "#5794f2", "#fade2a"];

function panelHtml({ title, kind, width, unit, series }: Drawn): string {
  const inside = { stat: stats, table, heatmap, "state-timeline": states }[kind] ?? lines;
  return `<section style="grid-column: span ${width}"><h3>${escaped(title)}</h3>${inside(series, unit)}</section>`;
}

type SeriesList = Drawn["series"];

function stats(series: SeriesList): string {
  return series
    .map(
      ({ name, points }) =>
        `<div class="stat">${number(points.at(-1)?.[1] ?? 0)} <small>${escaped(series.length > 1 || name.includes("nft") ? name : "")}</small></div>`,
    )
    .join("");
}

function table(series: SeriesList): string {
  const rows = series.map(
    ({ name, points }) => `<tr><td>${escaped(name)}</td><td>${number(points.at(-1)?.[1] ?? 0)}</td></tr>`,
  );
  return `<table>${rows.join("")}</table>`;
}

const [w, h] = [400, 110];

function lines(series: SeriesList, unit: string): string {
  const all = series.flatMap(({ points }) => points);
  const [from, to] = [Math.min(...all.map(([time]) => time)), Math.max(...all.map(([time]) => time))];
  const top = Math.max(...all.map(([, value]) => value), 1e-9);
  const x = (time: number) => ((time - from) / Math.max(1, to - from)) * w;
  const paths = series.map(({ points }, at) => {
    const path = points
      .map(
        ([time, value], index) =>
          `${index === 0 ? "M" : "L"}${x(time).toFixed(1)} ${(h - (value / top) * (h - 4)).toFixed(1)}`,
      )
      .join("");
    return `<path d="${path}" fill="none" stroke="${colours[at % colours.length]}" stroke-width="1.5"/>`;
  });
  const legend = series
    .map(({ name }, at) => `<span style="color:${colours[at % colours.length]}">${escaped(name)}</span>`)
    .join(" · ");
  return `${svg(paths.join(""))}<div class="legend">at most ${number(top)}${unit === "short" ? "" : ` ${unit}`} · ${legend}</div>`;
}

function states(series: SeriesList): string {
  const bands = series.flatMap(({ points }, at) => {
    const from = points[0]?.[0] ?? 0;
    const to = points.at(-1)?.[0] ?? 1;
    return points.map(
      ([time, value]) =>
        `<rect x="${(((time - from) / Math.max(1, to - from)) * w).toFixed(1)}" y="${at * 30}" width="4" height="22" fill="${value > 0 ? "#f2495c" : "#56a64b"}"/>`,
    );
  });
  return `${svg(bands.join(""))}<div class="legend">${series.map(({ name }) => escaped(name)).join(" · ")}: red where rules differ</div>`;
}

/** Buckets as rows, the shade their share of what fell into them alone. */
function heatmap(series: SeriesList): string {
  const buckets = series.toSorted(
    (a, b) => Number(a.name.replace("+Inf", "Infinity")) - Number(b.name.replace("+Inf", "Infinity")),
  );
  const own = buckets.map(({ points }, at) =>
    points.map(([time, value], index) => [time, value - (buckets[at - 1]?.points[index]?.[1] ?? 0)] as const),
  );
  const most = Math.max(...own.flat().map(([, value]) => value), 1e-9);
  const height = h / Math.max(1, own.length);
  const cells = own.flatMap((points, row) => {
    const from = points[0]?.[0] ?? 0;
    const to = points.at(-1)?.[0] ?? 1;
    return points.flatMap(([time, value]) =>
      value > 0
        ? [
            `<rect x="${(((time - from) / Math.max(1, to - from)) * w).toFixed(1)}" y="${(h - (row + 1) * height).toFixed(1)}" width="4" height="${height.toFixed(1)}" fill="#ff780a" fill-opacity="${(0.15 + 0.85 * (value / most)).toFixed(2)}"/>`,
          ]
        : [],
    );
  });
  return `${svg(cells.join(""))}<div class="legend">${escaped(buckets[0]?.name ?? "")} s to ${escaped(buckets.at(-2)?.name ?? "")} s, from below</div>`;
}

function svg(inside: string): string {
  return `<svg viewBox="0 0 ${w} ${h}" preserveAspectRatio="none" width="100%" height="${h}">${inside}</svg>`;
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : Number.isInteger(value) ? `${value}` : value.toPrecision(3);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
