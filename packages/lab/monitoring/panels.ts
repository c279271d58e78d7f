import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import type { DataSourceRef, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as Heatmap } from "@grafana/grafana-foundation-sdk/heatmap";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as Stat } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimeline } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as Table } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeSeries } from "@grafana/grafana-foundation-sdk/timeseries";

/** One query of a panel. */
export interface Query {
  readonly expr: string;
  readonly legend?: string;
}

/** What all panels have in common. */
export interface PanelOptions {
  readonly title: string;
  readonly description: string;
  /** Of 24 columns. */
  readonly width: number;
  readonly unit?: string;
  readonly queries: readonly Query[];
}

/** The data source that the dashboard's variable names. */
export const source: DataSourceRef = { type: "prometheus", uid: `\${datasource}` };
const height = 8;

interface Common<T> {
  title(text: string): T;
  description(text: string): T;
  datasource(ref: DataSourceRef): T;
  span(columns: number): T;
  height(rows: number): T;
  unit(unit: string): T;
  withTarget(target: DataqueryBuilder): T;
}

function common<T extends Common<T>>(
  panel: T,
  options: PanelOptions,
  shape: (query: DataqueryBuilder) => DataqueryBuilder,
): T {
  const { title, description, width, unit = "short" } = options;
  panel.title(title).description(description).datasource(source).span(width).height(height).unit(unit);
  for (const { expr, legend = "" } of options.queries) {
    panel.withTarget(shape(new DataqueryBuilder().expr(expr).legendFormat(legend)));
  }
  return panel;
}

/** A number, now. */
export function stat(options: PanelOptions): Builder<Panel> {
  return common(new Stat(), options, (query) => query.instant());
}

export function timeSeries(options: PanelOptions): Builder<Panel> {
  return common(new TimeSeries(), options, (query) => query.range());
}

/** Of a histogram's buckets. */
export function heatmap(options: PanelOptions): Builder<Panel> {
  return common(new Heatmap(), options, (query) => query.range().format(PromQueryFormat.Heatmap)).calculate(false);
}

/** One line for each series, its colour the state. */
export function stateTimeline(options: PanelOptions): Builder<Panel> {
  return common(new StateTimeline(), options, (query) => query.range());
}

export function table(options: PanelOptions): Builder<Panel> {
  return common(new Table(), options, (query) => query.instant().format(PromQueryFormat.Table));
}
