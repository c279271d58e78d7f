/** What a YAML scalar stands for; `int` and `float` as the JSON literal that Go would write for them. */
export type Scalar =
  | { readonly type: "null" }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "int" | "float"; readonly literal: string }
  | { readonly type: "str"; readonly value: string };

/** A scalar that no reading fits, as the end of the sentence "the value …". */
export interface ScalarProblem {
  readonly reason: string;
}

const words: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ...["", "~", "null", "Null", "NULL"].map((text) => [text, { type: "null" }] as const),
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map(
    (text) => [text, { type: "bool", value: true }] as const,
  ),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map(
    (text) => [text, { type: "bool", value: false }] as const,
  ),
]);

const integer = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/;
const decimal = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const notFinite = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/**
 * A plain scalar as go-yaml v2 resolves it, which is the Go original's parser: YAML 1.1 without base 60 and with the
 * floats of 1.2. js-yaml's own YAML 1.1 schema differs (`1e2` is a text to it, `1:30` the number 90). Timestamps stay
 * texts, as they do in go-yaml.
 */
export function resolvePlain(text: string): Scalar | ScalarProblem {
  const word = words.get(text);
  if (word !== undefined) return word;
  // Whatever has another character, a CIDR for one, is a text.
  if (!/^[-+.\d][-+.\w]*$/.test(text)) return { type: "str", value: text };
  // JSON has no infinity: the original refuses the whole file, whatever the key.
  if (notFinite.test(text)) return { reason: `${text} is not a number that JSON can carry` };
  const digits = text.startsWith(".") ? text : text.replaceAll("_", "");
  return resolveInteger(digits) ?? resolveDecimal(digits) ?? { type: "str", value: text };
}

/** A leading zero means octal; `08`, which is none, is left to `resolveDecimal`, as Go does. */
function resolveInteger(digits: string): Scalar | undefined {
  // Beyond any integer type, and BigInt is quadratic in the length.
  if (digits.length > 100) return undefined;
  const match = integer.exec(digits);
  if (match === null) return undefined;
  const [, sign, hexadecimal, binary, octal, plain] = match;
  let magnitude: bigint;
  if (hexadecimal !== undefined) magnitude = BigInt(`0x${hexadecimal}`);
  else if (binary !== undefined) magnitude = BigInt(`0b${binary}`);
  else if (octal !== undefined) magnitude = BigInt(`0o${octal}`);
  else magnitude = BigInt(plain ?? "0");
  return { type: "int", literal: String(sign === "-" ? -magnitude : magnitude) };
}

/** Go and JavaScript write a double in the same way: shortest digits, an exponent from 1e21 on. */
function resolveDecimal(digits: string): Scalar | undefined {
  if (!decimal.test(digits)) return undefined;
  const value = Number(digits);
  return Number.isFinite(value) ? { type: "float", literal: String(value) } : undefined;
}

/** A scalar with an explicit tag (`!!int 64`), the tag as written. Unknown tags mean text, as in go-yaml. */
export function resolveTagged(tag: string, text: string): Scalar | ScalarProblem {
  const name = tag.startsWith("!!") ? tag.slice(2) : /^!<tag:yaml\.org,2002:(.*)>$/.exec(tag)?.[1];
  switch (name) {
    case "binary":
      return { reason: "is binary data, which no key of a config takes" };
    case "null":
    case "bool":
    case "int":
    case "float": {
      const scalar = resolvePlain(text);
      if ("reason" in scalar || scalar.type === name) return scalar;
      if (name === "float" && scalar.type === "int") return { type: "float", literal: scalar.literal };
      return { reason: `is not what its tag ${tag} says` };
    }
    default:
      return { type: "str", value: text };
  }
}
