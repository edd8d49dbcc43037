/** The number of each table, which is part of its documents' ids. */

// The first number of the project's tables.
const FIRST = 10001;

export class TableNumbers {
  private readonly numbers = new Map<string, number>();

  set(table: string, number: number): void {
    this.numbers.set(table, number);
  }

  /** Gives tables without a number the lowest free ones, in the order of their names. */
  add(tables: Iterable<string>): void {
    const taken = new Set(this.numbers.values());
    let next = FIRST;
    for (const table of [...tables].sort()) {
      if (this.numbers.has(table)) continue;
      while (taken.has(next)) next += 1;
      taken.add(next);
      this.numbers.set(table, next);
    }
  }

  of(table: string): number {
    const number = this.numbers.get(table);
    if (number === undefined) throw new Error(`there is no table ${table}`);
    return number;
  }

  /** The numbers of all tables that the schema has or once had. */
  all(): Record<string, number> {
    return Object.fromEntries(this.numbers);
  }
}
