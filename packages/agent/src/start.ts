import "./heap.ts";
import { isVerbose, reportInternalErrors } from "./internal-error.ts";
import { main } from "./main.ts";
import { processOutput } from "./output.ts";

/** What the bundle begins with. */
const argv = process.argv.slice(2);
reportInternalErrors("ip-masq-agent", isVerbose(argv));
// A reader that went away (`ip-masq-agent --help | head -1`) is no failure.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});
void main(argv, processOutput()).then((exitCode) => {
  process.exitCode = exitCode;
  // What hangs elsewhere (a kubeconfig's plugin for credentials) does not hold up the end.
  setTimeout(() => process.exit(), 500).unref();
});
