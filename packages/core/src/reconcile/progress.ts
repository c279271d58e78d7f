import type { Backend } from "../backend/contract.ts";

/** The same backend, which tells of each step that has ended, well or not: that is how a long pass says that it lives. */
export function telling(backend: Backend, onStep: () => void): Backend {
  async function told<T>(operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } finally {
      onStep();
    }
  }
  return {
    ...backend,
    observe: (family, signal) => told(backend.observe(family, signal)),
    apply: (plan, signal) => told(backend.apply(plan, signal, onStep)),
    cleanup: (family, signal) => told(backend.cleanup(family, signal)),
  };
}
