import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

/**
 * Makes what ships, for Node 24 and nothing else beside it: dist/ip-masq-agent.js, the agent and its commands; beside it
 * ip-masq-agent-kubernetes.mjs, which is loaded only where the API is asked for something; and kubectl-masq.js, the
 * plugin for whoever operates a cluster.
 */
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { version } = JSON.parse(readFileSync(here("package.json"), "utf8")) as { version: string };

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

/** The only importer of Kubernetes' client is left out of the agent's file, which it would double. */
const apart: Plugin = {
  name: "apart",
  setup({ onResolve }) {
    onResolve({ filter: /\/credentials\.ts$/, namespace: "file" }, ({ kind }) =>
      kind === "dynamic-import" ? { path: "./ip-masq-agent-kubernetes.mjs", external: true } : undefined,
    );
  },
};

/**
 * Kubernetes' client makes a dispatcher of undici for requests that are not made through it here: 5 MB of memory for
 * nothing. What asks for one all the same is told so.
 */
const withoutUndici: Plugin = {
  name: "without-undici",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: "absent" }));
    onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: `const absent = () => { throw new Error("undici is left out of this bundle"); };
        export { absent as Agent, absent as ProxyAgent, absent as fetch };`,
      loader: "js",
    }));
  },
};

async function bundle(entry: string, name: string, banner: string, plugins: readonly Plugin[]): Promise<void> {
  const outfile = here(`dist/${name}`);
  await build({
    entryPoints: [here(`src/${entry}`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "eof",
    plugins: [builtins, ...plugins],
    define: { __VERSION__: JSON.stringify(version), __COMMIT__: JSON.stringify(commit()) },
    banner: { js: banner },
    logLevel: "warning",
  });
  if (banner.startsWith("#!")) chmodSync(outfile, 0o755);
}

const program = "#!/usr/bin/env node";
await bundle("main.ts", "ip-masq-agent.js", program, [apart]);
await bundle("kubernetes/credentials.ts", "ip-masq-agent-kubernetes.mjs", "", [withoutUndici]);
await bundle("kubectl/main.ts", "kubectl-masq.js", program, [withoutUndici]);
