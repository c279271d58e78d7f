import { describe, expect, test } from "vitest";
import { resolvePlain, resolveTagged } from "./yaml-scalar.ts";

const int = (literal: string) => ({ type: "int", literal });
const float = (literal: string) => ({ type: "float", literal });
const str = (value: string) => ({ type: "str", value });

describe("plain scalars, as go-yaml v2 reads them", () => {
  test.each(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])("%s is true", (text) => {
    expect(resolvePlain(text)).toEqual({ type: "bool", value: true });
  });
  test.each(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])("%s is false", (text) => {
    expect(resolvePlain(text)).toEqual({ type: "bool", value: false });
  });
  test.each(["", "~", "null", "Null", "NULL"])("%j is null", (text) => {
    expect(resolvePlain(text)).toEqual({ type: "null" });
  });
  test.each([
    ["64", "64"],
    ["+64", "64"],
    ["-0", "0"],
    ["6_4", "64"],
    ["0x40", "64"],
    ["-0X40", "-64"],
    ["0b1000000", "64"],
    ["0100", "64"],
    ["0o100", "64"],
    ["18446744073709551616", "18446744073709551616"],
  ])("%s is the integer %s", (text, literal) => {
    expect(resolvePlain(text)).toEqual(int(literal));
  });
  test.each([
    ["1e2", "100"],
    ["64.0", "64"],
    ["64.", "64"],
    [".5", "0.5"],
    ["08", "8"],
    ["1.5e-7", "1.5e-7"],
    ["1e20", "100000000000000000000"],
    ["1e21", "1e+21"],
  ])("%s is the float %s", (text, literal) => {
    expect(resolvePlain(text)).toEqual(float(literal));
  });
  test.each([
    "yEs",
    "tRUE",
    "1:30",
    "190:20:30",
    "2001-01-01",
    "10.0.0.0/8",
    "::/0",
    "1::/16",
    "60s",
    "0x",
    "0b2",
    "-",
    ".",
    "1e",
    "1e999",
    "._5",
    "9".repeat(500),
  ])("%.20s is a text", (text) => {
    expect(resolvePlain(text)).toEqual(str(text));
  });
  test.each([".inf", "-.Inf", "+.INF", ".nan", ".NaN"])("%s is no number for JSON", (text) => {
    expect(resolvePlain(text)).toHaveProperty("reason");
  });
});

describe("scalars with a tag", () => {
  test.each([
    ["!!str", "64", str("64")],
    ["!!int", "64", int("64")],
    ["!!float", "64", float("64")],
    ["!!bool", "yes", { type: "bool", value: true }],
    ["!!null", "", { type: "null" }],
    ["!<tag:yaml.org,2002:int>", "0x40", int("64")],
    ["!!timestamp", "2001-01-01", str("2001-01-01")],
    ["!ours", "yes", str("yes")],
  ])("%s %s", (tag, text, scalar) => {
    expect(resolveTagged(tag, text)).toEqual(scalar);
  });
  test.each([
    ["!!int", "1.5"],
    ["!!int", "yes"],
    ["!!bool", "1"],
    ["!!null", "x"],
    ["!!binary", "aGk="],
  ])("%s %s does not fit", (tag, text) => {
    expect(resolveTagged(tag, text)).toHaveProperty("reason");
  });
});
