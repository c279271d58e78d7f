import { isVerbose, reportInternalErrors } from "../internal-error.ts";
import { processOutput } from "../output.ts";
import { shown } from "../text/colour.ts";
import { main } from "./main.ts";

/** What the plugin's bundle begins with. */
const argv = process.argv.slice(2);
reportInternalErrors("kubectl masq", isVerbose(argv));
const { stdout, stderr } = process;
// A reader that went away (`kubectl masq status | head -1`) is no failure.
stdout.on("error", () => {});
stderr.on("error", () => {});
const screen = {
  ...processOutput(),
  live: stderr.isTTY === true,
  overwrite: (text: string) => void stderr.write(`\r\x1b[K${shown(text)}`),
};
void main(argv, screen).then((exitCode) => {
  // A node that did not answer may keep its connection open for minutes: nobody waits for that.
  stdout.write("", () => process.exit(exitCode));
});
