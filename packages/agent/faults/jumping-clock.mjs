// Loaded before the agent: its wall clock jumps by what the file named in CLOCK_OFFSET_FILE says, in milliseconds. The
// monotonic clock goes on as it is, as it does where a person or NTP sets the time.
import { readFileSync } from "node:fs";

const RealDate = Date;
const offset = () => {
  try {
    return Number(readFileSync(process.env.CLOCK_OFFSET_FILE, "utf8")) || 0;
  } catch {
    return 0;
  }
};
globalThis.Date = class extends RealDate {
  constructor(...values) {
    super(...(values.length === 0 ? [RealDate.now() + offset()] : values));
  }
  static now() {
    return RealDate.now() + offset();
  }
};
