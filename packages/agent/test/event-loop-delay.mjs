import { monitorEventLoopDelay } from "node:perf_hooks";

/** To be imported by an agent under test: each half second, the longest time for which its event loop stood still. */
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
setInterval(() => {
  const ms = Math.round(delay.max / 1e6);
  delay.reset();
  process.stderr.write(`${JSON.stringify({ level: "info", msg: "event loop delay", ms })}\n`);
}, 500).unref();
