import { describe, expect, test } from "vitest";
import { headLimitBytes, readHead } from "./head.ts";

const read = (text: string) => readHead(Buffer.from(text, "latin1"));

describe("a head that can be read", () => {
  test.each([
    ["GET /metrics HTTP/1.1\r\nHost: n\r\n\r\n", { method: "GET", path: "/metrics", accept: "" }],
    ["GET /metrics?a=b HTTP/1.1\r\nhost: n\r\n\r\n", { method: "GET", path: "/metrics", accept: "" }],
    ["HEAD / HTTP/1.0\r\n\r\n", { method: "HEAD", path: "/", accept: "" }],
    ["GET / HTTP/1.0\n\n", { method: "GET", path: "/", accept: "" }],
    [
      "GET / HTTP/1.1\r\nHost: n\r\nACCEPT: a/b\r\nAccept:c/d \r\n\r\n",
      { method: "GET", path: "/", accept: "a/b, c/d " },
    ],
    ["CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", { method: "CONNECT", path: "x:443", accept: "" }],
    // What comes after the head is nobody's business.
    ["GET /a HTTP/1.1\r\nHost: n\r\n\r\nGET /b HTTP/1.1\r\n\r\n", { method: "GET", path: "/a", accept: "" }],
    ["POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 9\r\n\r\nx\n\nx", { method: "POST", path: "/", accept: "" }],
  ])("%j", (text, head) => {
    expect(read(text)).toEqual(head);
  });
});

test.each(["", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: n\r\n", `GET /${"a".repeat(8_000)}`])(
  "more is to come after %j",
  (text) => {
    expect(read(text)).toBeUndefined();
  },
);

describe("a head that is refused", () => {
  test.each([
    [400, "\x16\x03\x01\x02\x00\x01", "plain HTTP/1.1"],
    [400, "GET /\r\n\r\n", "request line"],
    [400, "GET /a b HTTP/1.1\r\n\r\n", "request line"],
    [400, "GET / HTTP/1.1\r\n\r\n", "Host is missing"],
    [400, "GET / HTTP/1.1\r\nHost: n\r\n folded\r\n\r\n", "a header"],
    [505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain HTTP/1.1"],
    [431, `GET / HTTP/1.1\r\nHost: n\r\nX: ${"a".repeat(headLimitBytes)}\r\n\r\n`, "8192 bytes"],
    [431, `GET /${"a".repeat(headLimitBytes)}`, "8192 bytes"],
  ])("with %i: %j", (status, text, why) => {
    expect(read(text)).toEqual({ refusal: { status, body: expect.stringContaining(why) } });
  });
});
