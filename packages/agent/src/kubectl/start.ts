import { main } from "./main.ts";

/** What the plugin's bundle begins with. */
process.stdout.on("error", () => {});
const { stdout, stderr } = process;
const screen = {
  out: (text: string) => void stdout.write(text),
  err: (text: string) => void stderr.write(text),
  live: stderr.isTTY === true,
  colour: stdout.isTTY === true && stdout.hasColors(),
};
void main(process.argv.slice(2), screen).then((exitCode) => {
  // A node that did not answer may keep its connection open for minutes: nobody waits for that.
  stdout.write("", () => process.exit(exitCode));
});
