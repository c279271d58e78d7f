/** Put in by the bundler; absent when run from source. */
declare const __VERSION__: string | undefined;
declare const __COMMIT__: string | undefined;
declare const __REPORT_TO__: string | undefined;

export const build: { readonly version: string; readonly commit: string; readonly nodeVersion: string } = {
  version: typeof __VERSION__ === "string" ? __VERSION__ : "0.0.0-dev",
  commit: typeof __COMMIT__ === "string" ? __COMMIT__ : "unknown",
  nodeVersion: process.version,
};

/** What `PROGRAM --version` prints. */
export function versionLine(program: string): string {
  return `${program} ${build.version} (commit ${build.commit}, node ${build.nodeVersion})\n`;
}

/** Where a defect is to be reported: `bugs` of package.json, once there is an address that everybody reaches. */
export const reportTo: string =
  typeof __REPORT_TO__ === "string" && __REPORT_TO__ !== "" ? __REPORT_TO__ : "the project's issue tracker";
