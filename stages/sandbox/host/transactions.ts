/**
 * Takes turns between transactions: a group can run exclusively, and all others wait until it ends.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { EngineTransactions } from "./engine_database.ts";

export class Transactions {
  private readonly inside = new AsyncLocalStorage<true>();
  /** Resolved when the exclusive group has ended; null if there is none. */
  private alone: Promise<void> | null = null;

  /** From now on, the engine's transactions wait for exclusive groups; see `together`. */
  constructor(private readonly engine: EngineTransactions) {
    const begin = engine.begin.bind(engine);
    engine.begin = async (isNested, limits) => {
      // No `await` may come between the last check and the engine's own, which then starts.
      for (let wait; !isNested && (wait = this.nextToWaitFor());) await wait;
      await begin(isNested, limits);
    };
  }

  /** Runs `act` exclusively: until it ends, no transactions but its own begin or are under way. */
  async together<T>(act: () => Promise<T>): Promise<T> {
    if (this.inside.getStore()) return await act();
    while (this.alone) await this.alone;
    let end = (): void => undefined;
    this.alone = new Promise((resolve) => (end = resolve));
    try {
      while (this.engine._waitOnCurrentFunction) await this.engine._waitOnCurrentFunction;
      return await this.inside.run(true, act);
    } finally {
      this.alone = null;
      end();
    }
  }

  private nextToWaitFor(): Promise<void> | null {
    const others = this.inside.getStore() ? null : this.alone;
    return others ?? this.engine._waitOnCurrentFunction;
  }
}
