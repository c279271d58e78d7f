import { release } from "node:os";
import { note, trouble } from "./diagnosis.ts";
import type { Check } from "./examination.ts";

/** The oldest kernel that this project is meant for, and the first whose tables can be owned for good. */
const oldest = [5, 10] as const;
const ownership = [6, 9] as const;

/** The kernel's version. What it is able to do, the tools' probes say. */
export const kernel: Check = {
  name: "kernel",
  look: async () => [kernelOf(release())],
};

export function kernelOf(version: string): ReturnType<typeof note> {
  if (!atLeast(version, oldest)) {
    return trouble(
      "warning",
      "kernel",
      `${version}, older than ${oldest.join(".")}`,
      "nothing older is tested",
      "use a newer kernel, and read what the probes of the backends say",
    );
  }
  return note("ok", "kernel", `${version}${atLeast(version, ownership) ? "" : "; protected tables take 6.9"}`);
}

function atLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [first = 0, second = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return first > major || (first === major && second >= minor);
}
