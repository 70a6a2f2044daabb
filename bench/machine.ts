import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
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

/**
 * Has the system give its processors to the session of a process before it gives them to others, where that may be asked for: Linux shares
 * them out among sessions (`kernel.sched_autogroup_enabled`), and those of other sessions get as much however nice they are.
 * @returns whether it does
 */
export function comeFirst(pid: number): boolean {
	try {
		writeFileSync(`/proc/${pid}/autogroup`, "-20");
		return true;
	} catch {
		return false;
	}
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
	let peakRssBytes = 0;
	let rssBytes = 0;
	const tree = readTree(root);
	for (const status of tree?.values() ?? []) {
		peakRssBytes += field(status, "VmHWM") * 1024;
		rssBytes += field(status, "VmRSS") * 1024;
	}
	return tree && { peakRssBytes, rssBytes };
}

/** What a core has done since the system began, in ticks of its clock. */
export interface CoreTime {
	readonly all: number;
	/** For processes that are not among those that were asked about. */
	readonly others: number;
}

/** Of a process and all below it; nothing without `/proc`. */
export function readCoreTime(core: number, root: number): CoreTime | undefined {
	const tree = readTree(root);
	if (tree === undefined) return undefined;
	const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(readFileSync("/proc/stat", "utf8"))?.[1];
	const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, ...rest] = (line ?? "").split(" ").map(Number);
	const busy = user + nice + system;
	let own = 0;
	for (const pid of tree.keys()) own += ticksOf(pid);
	// Of what follows, guests' time is within the user's.
	const [hardware = 0, software = 0, stolen = 0] = rest;
	return { all: busy + idle + waiting + hardware + software + stolen, others: busy - own + stolen };
}

/** In percent of the time between. */
export function othersPercent(before: CoreTime | undefined, after: CoreTime | undefined): number {
	if (before === undefined || after === undefined) return Number.NaN;
	return Math.max(0, (100 * (after.others - before.others)) / (after.all - before.all));
}

function ticksOf(pid: number): number {
	try {
		const text = readFileSync(`/proc/${pid}/stat`, "utf8");
		// Behind the name, which may have anything in it
		const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
		return Number(fields[11]) + Number(fields[12]);
	} catch {
		return 0; // ended meanwhile
	}
}

const field = (status: string, key: string): number =>
	Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);

/** `/proc/PID/status` of a process and all below it. */
function readTree(root: number): Map<number, string> | undefined {
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
	const tree = new Map([[root, statuses.get(root) ?? ""]]);
	for (let size = 0; size < tree.size;) {
		size = tree.size;
		for (const [id, status] of statuses) if (tree.has(field(status, "PPid"))) tree.set(id, status);
	}
	return tree;
}
