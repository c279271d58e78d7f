/**
 * A value of a config document and the line it stands on, counted from 1. JSON's data model: what the Go original's
 * decoder is handed, whether the file was JSON or YAML.
 */
export type Value = NullValue | BooleanValue | NumberValue | StringValue | ListValue | MapValue;

export interface NullValue {
  readonly kind: "null";
  readonly line: number;
}

export interface BooleanValue {
  readonly kind: "boolean";
  readonly value: boolean;
  readonly line: number;
}

/** A number as a JSON literal, not as a double: `1.0` and `1e2` are no integers to Go's decoder, `1` is. */
export interface NumberValue {
  readonly kind: "number";
  readonly literal: string;
  readonly line: number;
}

export interface StringValue {
  readonly kind: "string";
  readonly value: string;
  readonly line: number;
}

export interface ListValue {
  readonly kind: "list";
  readonly items: readonly Value[];
  readonly line: number;
}

/** Entries as a list and never as an object's properties: a key named `__proto__` is a key like any other. */
export interface MapValue {
  readonly kind: "map";
  readonly entries: readonly MapEntry[];
  readonly line: number;
}

export interface MapEntry {
  readonly key: string;
  readonly line: number;
  readonly value: Value;
}

/** The value as a person would write it on one line, for messages; collections by their size. */
export function describeValue(value: Value): string {
  switch (value.kind) {
    case "null":
      return "null";
    case "boolean":
      return String(value.value);
    case "number":
      return shorten(value.literal);
    case "string":
      return shorten(value.value);
    case "list":
      return value.items.length === 1 ? "[1 item]" : `[${value.items.length} items]`;
    case "map":
      return value.entries.length === 1 ? "{1 key}" : `{${value.entries.length} keys}`;
  }
}

/** Length of a value in a message, and of a sentence that quotes one. */
export const longestValue = 80;
export const longestSentence = 200;

/** Cuts a text that is too long for a log line or a terminal. */
export function shorten(text: string, most: number = longestValue): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
