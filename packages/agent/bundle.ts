import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

/** Makes dist/ip-masq-agent.js: one file that runs with nothing but Node 24 beside it. */
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here("package.json"), "utf8")) as { version: string };
const outfile = here("dist/ip-masq-agent.js");

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short=12", "HEAD"], {
      cwd: here("."),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

/**
 * Node's own modules by `process.getBuiltinModule` in place of `import`: to make a module's list of exports, `import`
 * reads every one of them, and reading node:http's `WebSocket` loads all of undici, 7 MB (Node 24.21, measured).
 */
const builtins: Plugin = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    const names = builtinModules.map((name) => name.replace("node:", "")).join("|");
    onResolve({ filter: new RegExp(`^(?:node:)?(?:${names})$`) }, ({ path }) => ({ path, namespace: "builtin" }));
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: "js",
    }));
  },
};

await build({
  entryPoints: [here("src/main.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "eof",
  plugins: [builtins],
  define: { __VERSION__: JSON.stringify(version), __COMMIT__: JSON.stringify(commit()) },
  banner: { js: "#!/usr/bin/env node" },
});
chmodSync(outfile, 0o755);
