import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";

/** What a figure depends on besides the programs. */
export interface Machine {
	readonly cpu: string;
	/** Cores that this process may use. */
	readonly cores: number;
	readonly memoryBytes: number;
	readonly system: string;
	/** Processes that wanted a core in the minute before the run: well above 0, others were using the machine. */
	readonly loadAverage: number;
}

export function describeMachine(): Machine {
	return {
		cpu: cpus()[0]?.model ?? "unknown",
		cores: allowedCores()?.length ?? cpus().length,
		memoryBytes: totalmem(),
		system: `${type()} ${release()} ${process.arch}`,
		loadAverage: loadavg()[0] ?? 0,
	};
}

/** The cores for the server and for the load: two different ones, or nothing where they cannot be kept apart. */
export function chooseCores(): { server: number; load: number } | undefined {
	const [server, load] = allowedCores() ?? [];
	return server === undefined || load === undefined ? undefined : { server, load };
}

/** Moves this process to one core; children that are not moved themselves follow. */
export function moveTo(core: number): void {
	spawnSync("taskset", ["-cp", `${core}`, `${process.pid}`], { stdio: "ignore" });
}

function allowedCores(): number[] | undefined {
	const { stdout, status } = spawnSync("taskset", ["-cp", `${process.pid}`], { encoding: "utf8" });
	if (status !== 0) return undefined;
	return parseCoreList(stdout.slice(stdout.lastIndexOf(":") + 1));
}

/** A list such as `0-2,5`. */
export function parseCoreList(text: string): number[] {
	return text.split(",").flatMap((part) => {
		const [first = Number.NaN, last = first] = part.split("-").map(Number);
		return Array.from({ length: last - first + 1 }, (_, i) => first + i);
	});
}

/** The memory of a process and all below it. */
export interface TreeMemory {
	/** Sum of each process's own peak: at least the peak of the sum. */
	readonly peakRssBytes: number;
	readonly rssBytes: number;
}

/** Reads `/proc`; nothing where there is none. Processes that have ended already do not count. */
export function readTreeMemory(root: number): TreeMemory | undefined {
	let names: string[];
	try {
		names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	} catch {
		return undefined;
	}
	const statuses = new Map<number, string>();
	for (const name of names) {
		try {
			statuses.set(Number(name), readFileSync(`/proc/${name}/status`, "utf8"));
		} catch {
			// ended meanwhile
		}
	}
	const field = (status: string, key: string): number =>
		Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
	const tree = new Set([root]);
	for (let size = 0; size < tree.size;) {
		size = tree.size;
		for (const [id, status] of statuses) if (tree.has(field(status, "PPid"))) tree.add(id);
	}
	let peakRssBytes = 0;
	let rssBytes = 0;
	for (const id of tree) {
		const status = statuses.get(id) ?? "";
		peakRssBytes += field(status, "VmHWM") * 1024;
		rssBytes += field(status, "VmRSS") * 1024;
	}
	return { peakRssBytes, rssBytes };
}
