/** The one place where the command line meets what runs guests. Loaded only when a command line has been understood. */
import { loadApp } from "../app/mod.ts";
import { buildComponent } from "../build/mod.ts";
import { inFile, type Limits, type MeteringMode, SkerryError } from "../fault/mod.ts";
import { serve as serveComponent, type Server } from "../server/mod.ts";
import { withProgress } from "./progress.ts";
import { describeDenied, describeOutput, describeRequest, type GrantedBy } from "./server-log.ts";
import type { StopRequest } from "./signals.ts";
import { readInput, type Target } from "./target.ts";
import { paint } from "./terminal.ts";
import type { ListenAddress } from "./values.ts";

export interface UpOptions {
	readonly target: Target;
	readonly listen: ListenAddress;
	readonly env: Readonly<Record<string, string>>;
	/** Origins, as `parseOutboundPolicy` takes them. */
	readonly allowOutbound: readonly string[];
	/** Over those of the manifest. */
	readonly limits: Limits;
	readonly metering: MeteringMode | undefined;
	readonly verbose: boolean;
}

/** What is served: a component, and what it is granted. */
interface Service {
	readonly name: string;
	readonly file: string;
	readonly bytes: Uint8Array;
	readonly env: Readonly<Record<string, string>>;
	readonly allowOutbound: readonly string[];
	readonly limits: Limits;
	readonly metering: MeteringMode | undefined;
	/** Commands to show; `{url}` stands for the address. */
	readonly try: readonly string[];
	/** How it was made, for the first line. */
	readonly made: readonly string[];
	readonly grantedBy: GrantedBy;
}

/** Milliseconds that requests under way get to finish when the server is told to stop. */
const GRACE = 10_000;
/** How often `--verbose` looks whether what is in use has changed, in milliseconds. */
const USAGE_INTERVAL = 1_000;

/** Serves until `stop` is asked for, then ends what is under way; the result is the exit status. */
export async function serve(options: UpOptions, { signal: stop, giveUp }: StopRequest): Promise<number> {
	// Until it listens nothing is under way that would have to be ended well, and building may take a while.
	stop.addEventListener("abort", giveUp, { once: true });
	const service = await findService(options.target);
	const server = await startServer(service, options);
	stop.removeEventListener("abort", giveUp);
	const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
	const made = [...service.made, `compiled in ${seconds(server.loadTime)}`].join(", ");
	say(
		`${paint("bold", service.name, process.stderr)} is served at ${paint("cyan", server.url, process.stderr)} (${made})`,
	);
	if (service.try.length > 0) {
		say("Try:");
		for (const line of service.try) say(`  ${line.replaceAll("{url}", server.url)}`);
	}
	const report = options.verbose ? reportUsage(server, service.name) : undefined;
	await new Promise<void>((resolve) => {
		if (stop.aborted) resolve();
		else stop.addEventListener("abort", () => resolve(), { once: true });
	});
	say("stopping");
	await server.close(GRACE);
	report?.[Symbol.dispose]();
	return 0;
}

function say(line: string): void {
	process.stderr.write(`${line}\n`);
}

async function findService(target: Target): Promise<Service> {
	if (target.kind === "component") {
		const bytes = await readInput(target.path);
		return {
			name: target.path,
			file: target.path,
			bytes,
			env: {},
			allowOutbound: [],
			limits: {},
			metering: undefined,
			try: ["curl {url}/"],
			made: [],
			grantedBy: "flag",
		};
	}
	const app = await loadApp(target.path);
	const component = app.components[app.triggers.http[0]?.component ?? ""];
	if (component === undefined) throw new Error("a checked manifest has a component for its trigger");
	const common = {
		name: app.name,
		env: component.environment,
		allowOutbound: component.allowedOutboundHosts,
		limits: app.limits,
		metering: app.metering,
		try: app.try.length > 0 ? app.try : ["curl {url}/"],
		grantedBy: "manifest",
	} as const;
	if (component.kind === "wasm") {
		return { ...common, file: component.source, bytes: await readInput(component.source), made: [] };
	}
	const build = await withProgress(`building ${component.source}`, () =>
		buildComponent({ entry: component.source, folder: app.folder }),
	);
	for (const warning of build.warnings) say(`${paint("yellow", "warning:", process.stderr)} ${warning}`);
	const took = ((build.times.bundle + build.times.componentize) / 1000).toFixed(2);
	const made = [build.cached ? `bundled in ${took} s, component from the cache` : `built in ${took} s`];
	return { ...common, file: build.file, bytes: build.component, made };
}

async function startServer(service: Service, options: UpOptions): Promise<Server> {
	const metering = options.metering ?? service.metering;
	try {
		return await withProgress("compiling", () =>
			serveComponent({
				bytes: service.bytes,
				app: service.name,
				listen: options.listen,
				env: { ...service.env, ...options.env },
				allowOutbound: [...service.allowOutbound, ...options.allowOutbound],
				limits: { ...service.limits, ...options.limits },
				...(metering === undefined ? {} : { metering }),
				onWarning: (message) => say(`${paint("yellow", "warning:", process.stderr)} ${message}`),
				onRequest: (record) => {
					const text = describeRequest(record, options.verbose);
					if (text !== undefined) say(text);
				},
				troubleOnly: !options.verbose,
				onDenied: (...denied) => say(describeDenied(service.grantedBy, ...denied)),
				onOutput: (...output) => say(describeOutput(service.name, ...output)),
			}),
		);
	} catch (error) {
		// An error without a place in the component's file is not about it.
		throw error instanceof SkerryError && error.place === undefined && !error.code.startsWith("link/")
			? error
			: inFile(error, service.file);
	}
}

/** Such as `cow of 1088 KiB (2 pages written; cow 6.4 µs, copy 54.4 µs)`. */
function describeMemory({ strategy, length, pages, times }: ReturnType<Server["memories"]>[number]): string {
	const why = [
		...(pages === undefined ? [] : [`${pages} pages written`]),
		...(times === undefined ? [] : [`cow ${times.cow.toFixed(1)} µs, copy ${times.copy.toFixed(1)} µs`]),
	];
	return `${strategy} of ${length / 1024} KiB${why.length === 0 ? "" : ` (${why.join("; ")})`}`;
}

/** Says how memories are put back, and what is in use, whenever that changes: back at zero when no request is under way, or something leaks. */
function reportUsage(server: Server, app: string): Disposable {
	let last = "";
	let lastMemories = "";
	const timer = setInterval(() => {
		const usage = Object.entries(server.usage())
			.map(([name, count]) => `${name} ${count}`)
			.join(", ");
		if (usage !== last) say(paint("dim", `in use: ${usage}`, process.stderr));
		last = usage;
		const memories = server.memories().map(describeMemory).join(", ");
		if (memories !== lastMemories) say(paint("dim", `${app}: reset by ${memories}`, process.stderr));
		lastMemories = memories;
	}, USAGE_INTERVAL).unref();
	return { [Symbol.dispose]: () => clearInterval(timer) };
}
