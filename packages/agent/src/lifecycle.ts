/** What has been started, ended in reverse order; and the signals that ask for it. */
export interface Lifecycle extends AsyncDisposable {
  /** Aborted by SIGTERM, SIGINT or `stop`. */
  readonly signal: AbortSignal;
  /** Resolves with the signal's name, or with what `stop` was given. */
  readonly stopped: Promise<string>;
  stop(why: string): void;
  /** From now on SIGHUP calls this, and does not end the process. */
  onHangup(listener: () => void): void;
  /** Registers something to be ended; gives it back. */
  use<T extends Disposable | AsyncDisposable>(resource: T): T;
}

/** A second signal ends the process at once, with the exit code that shells expect of it. */
export function createLifecycle(): Lifecycle {
  const controller = new AbortController();
  const stack = new AsyncDisposableStack();
  const { promise, resolve } = Promise.withResolvers<string>();

  function stop(why: string): void {
    controller.abort(why);
    resolve(why);
  }

  for (const [name, exitCode] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    const listener = () => (controller.signal.aborted ? process.exit(exitCode) : stop(name));
    process.on(name, listener);
    stack.defer(() => {
      process.off(name, listener);
    });
  }

  return {
    signal: controller.signal,
    stopped: promise,
    stop,
    onHangup(listener) {
      process.on("SIGHUP", listener);
      stack.defer(() => {
        process.off("SIGHUP", listener);
      });
    },
    use: (resource) => stack.use(resource),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
