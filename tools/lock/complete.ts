/** The part of a package-lock.json (version 3) that matters here. */
export interface Lock {
	readonly packages: Readonly<Record<string, LockEntry>>;
}

export interface LockEntry {
	readonly version?: string;
	readonly dev?: boolean;
	readonly optional?: boolean;
	readonly cpu?: readonly string[];
	readonly os?: readonly string[];
	readonly libc?: readonly string[];
	readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const SYSTEMS = new Set([
	"aix",
	"android",
	"darwin",
	"freebsd",
	"linux",
	"netbsd",
	"openbsd",
	"openharmony",
	"sunos",
	"win32",
]);
const PROCESSORS = new Set([
	"arm",
	"arm64",
	"ia32",
	"loong64",
	"mips64el",
	"ppc64",
	"riscv64",
	"s390x",
	"wasm32",
	"x64",
]);
const LIBRARIES = new Map([
	["gnu", "glibc"],
	["gnueabihf", "glibc"],
	["musl", "musl"],
	["musleabihf", "musl"],
]);

/**
 * The entries that a lock lacks for optional dependencies of exact versions. npm leaves out those that its registry does not
 * have (a mirror may hold one platform only), and `npm ci` then refuses the lock. Their platforms are read from their names.
 */
export function findMissingEntries({ packages }: Lock): Map<string, LockEntry> {
	const missing = new Map<string, LockEntry>();
	const at = (path: string): LockEntry | undefined => missing.get(path) ?? packages[path];
	for (const [path, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
		for (const [name, version] of Object.entries(optionalDependencies)) {
			if (!/^\d+\.\d+\.\d+[^ ]*$/.test(version)) continue;
			const found = lookUp(path, name, at);
			if (found !== undefined && at(found)?.version === version) continue;
			const place =
				found === undefined ? `node_modules/${name}` : `${path === "" ? "" : `${path}/`}node_modules/${name}`;
			missing.set(place, { version, ...platformOf(name), ...(dev === true ? { dev } : {}), optional: true });
		}
	}
	return missing;
}

/** Where `require(name)` from the package at `from` finds it. */
function lookUp(from: string, name: string, at: (path: string) => LockEntry | undefined): string | undefined {
	for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
		const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
		if (at(path) !== undefined) return path;
		if (folder === "") return undefined;
	}
}

function platformOf(name: string): Pick<LockEntry, "cpu" | "os" | "libc"> {
	const words = name.split("/").at(-1)?.split("-") ?? [];
	const os = words.filter((word) => SYSTEMS.has(word));
	const cpu = words.filter((word) => PROCESSORS.has(word));
	const libc = os.includes("linux") ? words.flatMap((word) => LIBRARIES.get(word) ?? []) : [];
	return {
		...(cpu.length > 0 ? { cpu } : {}),
		...(os.length > 0 ? { os } : {}),
		...(libc.length > 0 ? { libc } : {}),
	};
}

/** The lock with the entries added, in npm's order. */
export function completeLock<L extends Lock>(lock: L, missing: ReadonlyMap<string, LockEntry>): L {
	const entries = [...Object.entries(lock.packages), ...missing];
	const packages = Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, "en")));
	return { ...lock, packages };
}
