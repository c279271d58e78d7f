import type { Options } from "../flags/flag.ts";
import type { Output } from "../output.ts";

export async function doctor(_options: Options, output: Output): Promise<number> {
  output.err("not yet\n");
  return 1;
}
