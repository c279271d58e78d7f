import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, transform } from "esbuild";

/**
 * Makes what ships, for Node 24 and nothing else beside it: dist/ip-masq-agent.js, the agent and its commands; beside it
 * ip-masq-agent-kubernetes.mjs, which is loaded only where the API is asked for something; and kubectl-masq.js, the
 * plugin for whoever operates a cluster. Beside both programs a launcher that finds the workspace's Node.
 */
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { version, bugs } = JSON.parse(readFileSync(here("package.json"), "utf8")) as {
  readonly version: string;
  readonly bugs?: { readonly url?: string };
};

/** The oldest Node that must be able to read a bundle, in order to refuse it in one line: the oldest with `import()`. */
const readableBy = "node12.20";

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

/** `var oldNode = …`: src/old-node.ts in one line. */
async function nodeCheck(): Promise<string> {
  const source = readFileSync(here("src/old-node.ts"), "utf8");
  const options = { loader: "ts", format: "iife", globalName: "oldNode", minify: true, target: readableBy } as const;
  return (await transform(source, options)).code.trim();
}

const common = {
  bundle: true,
  platform: "node",
  target: readableBy,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "eof",
  define: {
    __VERSION__: JSON.stringify(version),
    __COMMIT__: JSON.stringify(commit()),
    __REPORT_TO__: JSON.stringify(bugs?.url ?? ""),
  },
  logLevel: "warning",
} as const;

/**
 * A program: one file without import and export. So it is read alike as a module and as CommonJS, which an old Node
 * takes it for where it has no extension (/usr/local/bin/kubectl-masq) and a new one tries first; and all that follows the
 * check can stand in a block.
 */
async function program(directory: string, entry: string, name: string, plugins: readonly Plugin[]): Promise<void> {
  const outfile = join(directory, `${name}.js`);
  const modules = `Promise.all([import("fs"),import("child_process")])`;
  const refuse = `${modules}.then(([fs,children])=>oldNode.refuse("${name}",process.argv[1],fs,children))`;
  await build({
    ...common,
    entryPoints: [here(`src/${entry}`)],
    outfile,
    format: "iife",
    plugins: [builtins, ...plugins],
    banner: {
      js: `#!/usr/bin/env node\n"use strict";${await nodeCheck()}if(oldNode.isTooOld(process.versions.node))${refuse};else{`,
    },
    footer: { js: "}" },
  });
  chmodSync(outfile, 0o755);
  copyFileSync(here("launcher.sh"), join(directory, name));
  chmodSync(join(directory, name), 0o755);
}

/** A module that a program imports. */
async function library(directory: string, entry: string, name: string, plugins: readonly Plugin[]): Promise<void> {
  const imports = `import*as oldFs from"fs";import*as oldChildren from"child_process";`;
  const file = "decodeURIComponent(new URL(import.meta.url).pathname)";
  const refuse = `oldNode.refuse("${name}",${file},oldFs,oldChildren)`;
  await build({
    ...common,
    entryPoints: [here(`src/${entry}`)],
    outfile: join(directory, name),
    format: "esm",
    plugins: [builtins, ...plugins],
    banner: { js: `${imports}${await nodeCheck()}if(oldNode.isTooOld(process.versions.node))${refuse};` },
  });
}

/** All of it, into a folder. */
export async function bundleInto(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await program(directory, "start.ts", "ip-masq-agent", [apart]);
  await library(directory, "kubernetes/credentials.ts", "ip-masq-agent-kubernetes.mjs", [withoutUndici]);
  await program(directory, "kubectl/start.ts", "kubectl-masq", [withoutUndici]);
}

if (import.meta.main) {
  await bundleInto(here("dist"));
  // So that ./ip-masq-agent works in a checkout.
  const link = here("../../ip-masq-agent");
  rmSync(link, { force: true });
  symlinkSync("packages/agent/dist/ip-masq-agent", link);
}
