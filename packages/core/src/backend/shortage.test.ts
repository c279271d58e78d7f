import { expect, test } from "vitest";
import { shortageOf } from "./shortage.ts";

test.each([
  ["spawn nft EMFILE", "too many open files; raise the limit (ulimit -n"],
  ["EMFILE: too many open files, open '/etc/config/ip-masq-agent'", "too many open files; raise the limit (ulimit -n"],
  ["nft: error while loading: Too many open files", "ulimit -n"],
  ["spawn nft ENFILE", "fs.file-max"],
  ["open: Too many open files in system", "fs.file-max"],
  ["spawn nft EAGAIN", "too many processes"],
])("%s", (text, words) => {
  expect(shortageOf(text)).toContain(words);
});

test.each(["spawn nft ENOENT", "Resource temporarily unavailable", "Error: Could not process rule"])(
  "%s tells of no limit",
  (text) => {
    expect(shortageOf(text)).toBeUndefined();
  },
);
