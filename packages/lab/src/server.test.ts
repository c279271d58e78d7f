import { expect, test } from "vitest";
import { startServer } from "./server.ts";

const never = () => Promise.resolve(false);

test("a server that ends before it is ready is not waited for, and the error has its exit code and output", async () => {
  const before = performance.now();
  await using server = startServer(["sh", "-c", "echo starting; echo no template file >&2; exit 3"]);
  await expect(server.ready(never, 10_000)).rejects.toThrow(
    /^sh ended with exit code 3; it wrote:\n(starting\nno template file|no template file\nstarting)$/,
  );
  expect(performance.now() - before).toBeLessThan(5_000);
});

test("one that ended earlier is reported as well, and by its signal", async () => {
  await using server = startServer(["sh", "-c", "kill -TERM $$"]);
  await expect.poll(() => server.ready(never).catch(String)).toBe("Error: sh was ended by SIGTERM; it wrote nothing");
});

test("one that does not become ready shows the last lines of its output", async () => {
  await using server = startServer(["sh", "-c", "seq 1 100; exec sleep 60"]);
  const error = await server.ready(never, 1_000).catch(String);
  expect(error).toMatch(/^Error: sh is not ready after 1 s; it wrote:\n81\n82\n[\d\n]*\n100$/);
});

test("a program that cannot be started is no uncaught error", async () => {
  await using server = startServer(["/nonexistent/program"]);
  await expect(server.ready(never)).rejects.toThrow("/nonexistent/program cannot be started");
});

test("what holds the pipe open does not delay the report, and readiness that throws is asked again", async () => {
  await using server = startServer(["sh", "-c", "sleep 1 & exit 1"]);
  await expect(server.ready(() => Promise.reject(new Error("refused")))).rejects.toThrow("exit code 1");

  let asked = 0;
  await using other = startServer(["sleep", "60"]);
  await other.ready(async () => {
    asked++;
    if (asked < 3) throw new Error("refused");
    return true;
  });
  expect(asked).toBe(3);
});
