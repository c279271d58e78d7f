import type { Family } from "@ip-masq-agent/core";
import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check } from "./examination.ts";

const switches: Readonly<Record<Family, string>> = {
  IPv4: "net.ipv4.ip_forward",
  IPv6: "net.ipv6.conf.all.forwarding",
};

/** Whether the node passes pods' packets on at all. */
export const forwarding: Check = {
  name: "forwarding",
  look: (node) =>
    Promise.all(
      node.families.map(async (family): Promise<Diagnosis> => {
        const key = switches[family];
        const value = (await node.read(`/proc/sys/${key.replaceAll(".", "/")}`))?.trim();
        if (value === undefined) return note("info", "forwarding", `${key} cannot be read`);
        if (value !== "0") return note("ok", "forwarding", `${family} is on`);
        return trouble(
          "error",
          "forwarding",
          `${family} is off`,
          "packets of pods do not leave the node, masqueraded or not",
          `set ${key}=1 with sysctl, and in /etc/sysctl.d`,
        );
      }),
    ),
};
