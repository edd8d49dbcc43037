/**
 * The modules of a project's convex/ folder, each loaded on first use: an app has many that no
 * migration needs, and some that can't be loaded here.
 */
import { AsyncResource } from "node:async_hooks";
import { existsSync, readdirSync, statSync, type Dirent } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Bundler, describe, type Description } from "../../convex/bundle.mjs";

export type LoadedModule = Record<string, unknown>;

/** A module can't be bundled or executed. The message is for the user of the sandbox. */
export class Unloadable extends Error {
  constructor(
    readonly file: string,
    readonly description: Description,
    words: string,
  ) {
    super(words);
  }
}

export class Modules {
  private readonly loading = new Map<string, Promise<LoadedModule>>();

  private constructor(
    private readonly folder: string,
    /** Path, such as `dir/mod`, → file. */
    private readonly files: ReadonlyMap<string, string>,
    private readonly bundler: Bundler,
  ) {}

  /**
   * `first` are the modules that will be needed immediately. Throws Unloadable if the project's own
   * `convex` is not installed.
   */
  static async open(folder: string, first: string[]): Promise<Modules> {
    if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`);
    const files = new Map(
      moduleFiles(folder).map((file) => [
        relative(folder, file)
          .replaceAll("\\", "/")
          .replace(/\.[^.]+$/, ""),
        file,
      ]),
    );
    let bundler: Bundler;
    try {
      bundler = await Bundler.open(folder);
    } catch (error) {
      throw unloadable(folder, files.get("schema") ?? folder, error);
    }
    await bundler.prepare(
      folder,
      first.flatMap((path) => files.get(path) ?? []),
    );
    return new Modules(folder, files, bundler);
  }

  get paths(): Iterable<string> {
    return this.files.keys();
  }

  has(path: string): boolean {
    return this.files.has(path);
  }

  /** The exports of an existing module. If it fails to load, the next call tries again. */
  async load(path: string): Promise<LoadedModule> {
    const known = this.loading.get(path);
    if (known) return await known;
    const loading = this.bundle(path);
    this.loading.set(path, loading);
    try {
      return await loading;
    } catch (error) {
      this.loading.delete(path);
      throw error;
    }
  }

  /** Stops what is only needed while loading modules; it restarts by itself. */
  async rest(): Promise<void> {
    await this.bundler.close();
  }

  // A function may trigger the load, but its restrictions must not apply here. So this runs in the
  // asynchronous context in which the folder was opened.
  private readonly bundle = AsyncResource.bind(async (path: string): Promise<LoadedModule> => {
    const file = this.files.get(path);
    if (file === undefined) throw new Error(`there is no module ${path}`);
    try {
      return (await this.bundler.load(file)).exports;
    } catch (error) {
      throw unloadable(this.folder, file, error);
    }
  });
}

function unloadable(folder: string, file: string, error: unknown): Unloadable {
  const description = describe(error);
  const { place, message, packages } = description;
  const named = (path: string) => relative(dirname(folder), path);
  const words = [
    `${named(file)} can't be loaded: `,
    place ? `${named(place.file)}:${place.line}: ` : "",
    message.replaceAll(/\s+/g, " "),
    packages.length > 0 ? `; run: npm install ${packages.join(" ")}` : "",
  ];
  return new Unloadable(file, description, words.join(""));
}

/**
 * The modules of a convex folder, by the rules of a push: without files such as `a.test.ts`, and
 * without components in their own folders.
 */
function moduleFiles(folder: string): string[] {
  const files: string[] = [];
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const left = entry.name === "_generated" || entry.name === "node_modules";
      if (!left && !existsSync(join(path, "convex.config.ts"))) files.push(...moduleFiles(path));
    } else if (isFile(entry, path) && /^[^.#][^.]*\.[cm]?[jt]sx?$/.test(entry.name)) {
      files.push(path);
    }
  }
  return files;
}

function isFile(entry: Dirent, path: string): boolean {
  if (!entry.isSymbolicLink()) return entry.isFile();
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
