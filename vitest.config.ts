import { defineConfig } from "vitest/config";

/** Unit tests need nothing; the others need root and a kernel, and make namespaces of their own. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["packages/*/{src,test,cluster,monitoring,demo}/**/*.test.ts"],
          exclude: [
            "**/*.cluster.test.ts",
            "**/*.monitoring.test.ts",
            "**/*.kernel.test.ts",
            "**/*.compat.test.ts",
            "**/*.packets.test.ts",
            "**/node_modules/**",
          ],
        },
      },
      {
        test: {
          name: "kernel",
          include: ["packages/*/{src,test}/**/*.kernel.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // What is waited for comes in milliseconds; on a busy machine a second may not do.
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: "compat",
          include: ["packages/*/test/**/*.compat.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "cluster",
          include: ["packages/lab/cluster/**/*.cluster.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 1_800_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "monitoring",
          include: ["packages/lab/monitoring/**/*.monitoring.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "faults",
          include: ["packages/agent/faults/**/*.faults.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 60_000,
          // Each campaign judges packets and times: two at once would judge each other's load.
          fileParallelism: false,
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: "packets",
          include: ["packages/*/test/**/*.packets.test.ts"],
          testTimeout: 3_600_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
