import "./heap.ts";
import { main } from "./main.ts";
import { processOutput } from "./output.ts";

/** What the bundle begins with. */
// A reader that went away (`ip-masq-agent --help | head -1`) is no failure.
process.stdout.on("error", () => {});
void main(process.argv.slice(2), processOutput()).then((exitCode) => {
  process.exitCode = exitCode;
  // What hangs elsewhere (a kubeconfig's plugin for credentials) does not hold up the end.
  setTimeout(() => process.exit(), 500).unref();
});
