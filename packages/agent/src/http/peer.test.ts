import { expect, test } from "vitest";
import { peerOf } from "./peer.ts";

test.each([
  ["127.0.0.1", "127.0.0.1", true, "127.0.0.1"],
  ["127.0.0.5", "192.0.2.2", true, "127.0.0.5"],
  ["::ffff:127.0.0.1", "::ffff:127.0.0.1", true, "127.0.0.1"],
  ["::1", "::1", true, "0:0:0:0"],
  ["::ffff:192.0.2.2", "::ffff:192.0.2.2", true, "192.0.2.2"],
  ["192.0.2.3", "192.0.2.2", false, "192.0.2.3"],
  ["::ffff:192.0.2.3", "::ffff:192.0.2.2", false, "192.0.2.3"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8::1", false, "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8::2", false, "2001:db8:0:0"],
  ["2001:db8::2", "2001:db8::2", true, "2001:db8:0:0"],
  ["fe80::1%eth0", "fe80::2", false, "fe80:0:0:0"],
  ["2001:db8:1:2::", "2001:db8::1", false, "2001:db8:1:2"],
  [undefined, undefined, false, ""],
])("%s at %s", (remote, here, local, key) => {
  expect(peerOf(remote, here)).toEqual({ local, key });
});
