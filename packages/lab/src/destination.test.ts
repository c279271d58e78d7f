import { families } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { randomDestination, refusal } from "./destination.ts";

test.each([
  ["IPv4", "0.1.2.3", /this network/],
  ["IPv4", "127.0.0.1", /loopback/],
  ["IPv4", "239.255.255.255", /multicast/],
  ["IPv4", "255.255.255.255", /broadcast/],
  ["IPv4", "10.244.1.10", /the pod itself/],
  ["IPv4", "10.244.1.1", /the node itself/],
  ["IPv4", "192.0.2.2", /the node itself/],
  ["IPv4", "fd00::1", /not an IPv4 address/],
  ["IPv4", "300.0.0.1", /not an IPv4 address/],
  ["IPv6", "::", /unspecified/],
  ["IPv6", "0:0::1", /loopback/],
  ["IPv6", "::ffff:10.0.0.1", /IPv4-mapped/],
  ["IPv6", "febf::1", /link-local/],
  ["IPv6", "ff02::1", /multicast/],
  ["IPv6", "fd00:10:244:1:0:0:0:10", /the pod itself/],
  ["IPv6", "10.0.0.1", /not an IPv6 address/],
] as const)("%s %s is refused", (family, destination, reason) => {
  expect(refusal(family, destination)).toMatch(reason);
});

test.each([
  ["IPv4", "1.0.0.0"],
  ["IPv4", "169.254.1.1"],
  ["IPv4", "223.255.255.255"],
  ["IPv4", "240.0.0.0"],
  ["IPv6", "::2"],
  ["IPv6", "fec0::1"],
] as const)("%s %s is not", (family, destination) => {
  expect(refusal(family, destination)).toBeUndefined();
});

test.each(families)("random %s destinations can be sent to, and avoid what cannot", (family) => {
  // Half of the numbers hit the highest value, which is multicast, broadcast or both.
  let turn = 0;
  const random = () => (turn++ % 3 === 0 ? 0.9999 : Math.random());
  for (let count = 0; count < 1_000; count++) {
    expect(refusal(family, randomDestination(family, random))).toBeUndefined();
  }
});
