import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createApi } from "./api.ts";
import { loadCredentials } from "./credentials.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

async function kubeconfig(user: object, server = "https://192.0.2.1:6443"): Promise<string> {
  const file = join(directory, "config");
  const cluster = { server };
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "c", users: [{ name: "u", user }] },
    clusters: [{ name: "k", cluster }],
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
  };
  await writeFile(file, JSON.stringify(config));
  return file;
}

describe("credentials of a kubeconfig", () => {
  test("a token in a file beside it, as kubectl reads it", async () => {
    await writeFile(join(directory, "token"), "of-a-file");
    const { options } = loadCredentials({ kubeconfig: await kubeconfig({ tokenFile: "token" }) });
    expect((await options()).headers).toMatchObject({ Authorization: "Bearer of-a-file" });
  });

  test("of the files that $KUBECONFIG names those that are there; none: said", async () => {
    const file = await kubeconfig({ token: "t" });
    vi.stubEnv("KUBECONFIG", `${directory}/missing:${file}`);
    expect(loadCredentials({ kubeconfig: "" }).server).toBe("https://192.0.2.1:6443");
    vi.stubEnv("KUBECONFIG", `${directory}/missing`);
    expect(() => loadCredentials({ kubeconfig: "" })).toThrow(`there is no file ${directory}/missing`);
    vi.stubEnv("KUBECONFIG", "");
    vi.stubEnv("HOME", directory);
    expect(() => loadCredentials({ kubeconfig: "" })).toThrow(`there is no ${directory}/.kube/config`);
  });

  test.each(["nonsense", "api.example:6443", "10.0.0.1:6443", "https://[::1"])(
    "the server %j, which is no URL, is told by its cluster, with how to write it",
    async (server) => {
      const file = await kubeconfig({ token: "t" }, server);
      expect(() => loadCredentials({ kubeconfig: file })).toThrow(
        `the server ${JSON.stringify(server)} of cluster k is no URL; write it as https://`,
      );
    },
  );

  test("a plugin that fails is told in one line, with the remedy that fits", async () => {
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "sh",
      args: ["-c", "echo boom >&2; exit 1"],
    };
    const file = await kubeconfig({ exec });
    const api = createApi(async () => loadCredentials({ kubeconfig: file }));
    const asked = { verb: "list", resource: "nodes" } as const;
    const message = await api
      .call({ asked, path: "/", signal: AbortSignal.timeout(9_000) })
      .catch((error) => `${error}`);
    expect(message).toMatch(/cannot be read: .*boom.*; look at the user in the kubeconfig$/);
    expect(message).not.toContain("\n");
  });

  test("credentials that never come end with the signal", async () => {
    const api = createApi(() => new Promise(() => {}));
    const asked = { verb: "list", resource: "nodes" } as const;
    const stopping = new AbortController();
    const asking = api.call({ asked, path: "/", signal: stopping.signal });
    stopping.abort(new Error("stopped"));
    await expect(asking).rejects.toThrow("stopped");
  });
});
