/** Put in by the bundler; absent when run from source. */
declare const __VERSION__: string | undefined;
declare const __COMMIT__: string | undefined;

export const build: { readonly version: string; readonly commit: string; readonly nodeVersion: string } = {
  version: typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-dev",
  commit: typeof __COMMIT__ === "string" ? __COMMIT__ : "unknown",
  nodeVersion: process.version,
};
