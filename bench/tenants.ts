import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { crc32 } from "node:zlib";
import { buildComponent } from "../src/build/mod.ts";
import { CompileCache, createLinuxPageMapper, webAssembly } from "../src/engine/mod.ts";
import { Instance, linkComponent, loadComponent } from "../src/link/mod.ts";
import { SandboxPool, SharedSlots } from "../src/pool/mod.ts";
import { WASI_HOST } from "../src/wasi/mod.ts";
import { callHandler } from "../test/reset/http-call.ts";
import { commit } from "./commit.ts";
import { chooseCores, describeMachine, moveTo } from "./machine.ts";
import { median, toQuantiles } from "./statistics.ts";
import type { TenantsReport } from "./tenants-report.ts";

export interface TenantsOptions {
	readonly apps: number;
	/** Requests of each round, after as many that are not counted. */
	readonly requests: number;
	/** What was typed, for the report. */
	readonly command: string;
	/** Told what is going on. */
	readonly onProgress: (line: string) => void;
}

/** The sources, and what each answers under the name that stands in its state. */
const SOURCES: Readonly<Record<string, (name: string) => string>> = {
	greeting: (name) => `Hello from ${name}\n`,
	items: (name) => JSON.stringify({ app: name, item: { id: 7, title: "item 7" } }),
	page: (name) =>
		`<!doctype html><title>${name}</title>${Array.from({ length: 20 }, (_, i) => `<p>row ${i}`).join("")}`,
	router: (name) => `${name} root 1\n`,
	checksum: (name) => JSON.stringify({ app: name, checksum: crc32(`of ${name}`) }),
};
/** The name in the sources; those of the apps are as long. */
const NAME = "tenant-0000000";

/** Apps that are there before it is looked what a further one takes. */
const SETTLED = 20;
/** Apps that are added while requests are served. */
const ADDED = 10;
const LATER_REQUESTS = 20;
/** A round of one app alone and one of all take turns, so many times. */
const ROUNDS = 5;
const OVER = new Error("the call is over");

interface App {
	readonly source: string;
	readonly pool: SandboxPool;
	readonly path: readonly string[];
	readonly answer: string;
}

/** Many JavaScript apps on the slots of one code: each request is of one of them at random, and every answer is checked. */
export async function benchTenants(options: TenantsOptions): Promise<TenantsReport> {
	const { apps: count, requests, onProgress } = options;
	const machine = describeMachine();
	const binaries = await buildSources(onProgress);
	const cores = chooseCores();
	if (cores !== undefined) moveTo(cores.server);
	const server = new Server(binaries);
	const compiled = countCompilations();
	const apps: App[] = [];
	const add = async (): Promise<App> => {
		const app = await server.add(apps.length);
		apps.push(app);
		return app;
	};

	await add();
	const first = compiled();
	let before: Memory = { held: 0, rss: 0 };
	const adding: number[] = [];
	while (apps.length < count) {
		const started = performance.now();
		await serve(await add());
		adding.push(performance.now() - started);
		if (apps.length === SETTLED) before = await settledMemory();
	}
	const memory = await settledMemory();
	const further = compiled();
	onProgress(`${apps.length} apps, one after the other: ${median(adding).toFixed(1)} ms each`);

	const pick = (): App => apps[Math.floor(Math.random() * apps.length)] as App;
	const rounds = { alone: [] as number[], all: [] as number[] };
	const times = timeSlots();
	const taken = { requests: 0, switches: 0 };
	for (let round = -1; round < ROUNDS; round++) {
		// Each source alone in turn: apps cost different amounts.
		const alone = await perSecond(requests, (i) => apps[Math.floor((i * server.sources) / requests)] as App);
		times.reset();
		const switched = switches(apps);
		const all = await perSecond(requests, pick);
		if (round < 0) continue;
		taken.requests += requests;
		taken.switches += switches(apps) - switched;
		rounds.alone.push(alone);
		rounds.all.push(all);
		onProgress(`round ${round + 1}: alone ${alone.toFixed(0)}, all ${all.toFixed(0)} requests per second`);
	}
	const switching = times.take();
	const firstOverLater = await addWhileRunning(add, pick);
	const counts = apps.map(({ pool }) => pool.counts);
	for (const { pool } of apps) pool.close(OVER);
	const found = createLinuxPageMapper();
	return {
		schema: "skerry-bench-tenants/1",
		date: new Date().toISOString(),
		command: options.command,
		commit: commit(),
		machine,
		pinned: cores !== undefined,
		mapper: typeof found === "string" ? found : found.method,
		apps: count,
		sources: server.sources,
		requests,
		compilations: first,
		furtherCompilations: further - first,
		addMs: toQuantiles(adding),
		bytesPerApp: (memory.held - before.held) / (count - SETTLED),
		rssPerApp: (memory.rss - before.rss) / (count - SETTLED),
		instances: counts.reduce((sum, { created, discarded }) => sum + created - discarded, 0),
		switched: switches(apps),
		hitRate: 1 - taken.switches / taken.requests,
		switching: toQuantiles(switching),
		requestsPerSecond: { alone: median(rounds.alone), all: median(rounds.all) },
		ratio: median(rounds.all.map((all, i) => all / (rounds.alone[i] as number))),
		firstOverLater,
		answers: served,
	};
}

function switches(apps: readonly App[]): number {
	return apps.reduce((sum, { pool }) => sum + pool.counts.switched, 0);
}

/** Answers that were asked for; the benchmark fails at the first that is wrong. */
let served = 0;

async function serve({ answer, path, pool }: App): Promise<void> {
	const sandbox = await pool.acquire();
	const { body } = await callHandler(sandbox, { path, target: "/" });
	sandbox.end(OVER);
	served++;
	if (body !== answer)
		throw new Error(`the answer ${JSON.stringify(body)} is not this app's ${JSON.stringify(answer)}`);
}

async function perSecond(requests: number, pick: (i: number) => App): Promise<number> {
	const started = performance.now();
	for (let i = 0; i < requests; i++) await serve(pick(i));
	return (requests * 1000) / (performance.now() - started);
}

/** How much longer the first request of an app takes than the median of its later ones, with others in between: the median of some apps. */
async function addWhileRunning(add: () => Promise<App>, pick: () => App): Promise<number> {
	const ratios: number[] = [];
	for (let i = 0; i < ADDED; i++) {
		const app = await add();
		const times: number[] = [];
		for (let k = 0; k <= LATER_REQUESTS; k++) {
			await serve(pick());
			const started = performance.now();
			await serve(app);
			times.push(performance.now() - started);
		}
		ratios.push((times[0] as number) / median(times.slice(1)));
	}
	return median(ratios);
}

/** What a server of many apps does. */
class Server {
	readonly #cache = new CompileCache();
	readonly #slots = new SharedSlots();
	readonly #binaries: ReadonlyMap<string, Buffer>;
	readonly #names: readonly string[];

	constructor(binaries: ReadonlyMap<string, Buffer>) {
		this.#binaries = binaries;
		this.#names = [...binaries.keys()];
	}

	get sources(): number {
		return this.#names.length;
	}

	/** The first apps are of a source each; what is ready afterwards is ready for requests. */
	async add(index: number): Promise<App> {
		const source = this.#names[index % this.sources] as string;
		const name = `tenant-${String(index).padStart(7, "0")}`;
		const loaded = loadComponent(rename(this.#binaries.get(source) as Buffer, name));
		const linked = await linkComponent(loaded, WASI_HOST, this.#cache);
		const mapper = createLinuxPageMapper();
		const pool = new SandboxPool(linked, {
			wasi: () => ({}),
			mapper: typeof mapper === "string" ? undefined : mapper,
			slots: this.#slots,
			app: name,
		});
		const handler = [...linked.plan.exports.keys()].find((key) => key.startsWith("wasi:http/incoming-handler@")) ?? "";
		// Makes its image.
		(await pool.acquire()).end(OVER);
		return { source, pool, path: [handler, "handle"], answer: (SOURCES[source] as (name: string) => string)(name) };
	}
}

/** The same program with another constant in its state: what was written when it was initialised. */
function rename(binary: Buffer, name: string): Buffer {
	const copy = Buffer.from(binary);
	for (const encoding of ["latin1", "utf16le"] as const) {
		const [from, to] = [Buffer.from(NAME, encoding), Buffer.from(name, encoding)];
		for (let at = copy.indexOf(from); at >= 0; at = copy.indexOf(from, at + 1)) copy.set(to, at);
	}
	return copy;
}

async function buildSources(onProgress: (line: string) => void): Promise<Map<string, Buffer>> {
	const folder = fileURLToPath(new URL("programs", import.meta.url));
	const binaries = new Map<string, Buffer>();
	for (const name of Object.keys(SOURCES)) {
		const entry = `${folder}/tenants/${name}.js`;
		const { component } = await buildComponent({ entry, folder, onProgress: (step) => onProgress(`${name}: ${step}`) });
		binaries.set(name, Buffer.from(component));
	}
	return binaries;
}

/** @returns how often V8 was asked to compile since */
function countCompilations(): () => number {
	const v8 = webAssembly() as { compile: (bytes: Uint8Array) => Promise<unknown> };
	const { compile } = v8;
	let count = 0;
	v8.compile = (bytes) => {
		count++;
		return compile.call(v8, bytes);
	};
	return () => count;
}

type Method = (this: Instance, ...args: any[]) => number | undefined;

/** Milliseconds that it takes to make a slot ready for another app: put back and switched. */
function timeSlots(): { reset: () => void; take: () => readonly number[] } {
	let times: number[] = [];
	const slots = Instance.prototype as { move: Method; reset: Method };
	const { move, reset } = slots;
	const timed = (method: Method, switches: (args: readonly unknown[]) => boolean): Method =>
		function (this: Instance, ...args) {
			const started = performance.now();
			const written = method.apply(this, args);
			if (switches(args)) times.push(performance.now() - started);
			return written;
		};
	slots.move = timed(move, () => true);
	slots.reset = timed(reset, ([, tenant]) => tenant !== undefined);
	return { reset: () => (times = []), take: () => times };
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes. */
interface Memory {
	/** On V8's heap and in array buffers. */
	readonly held: number;
	readonly rss: number;
}

async function settledMemory(): Promise<Memory> {
	for (let i = 0; i < 3; i++) {
		collectGarbage();
		await turn();
	}
	const { arrayBuffers, heapUsed, rss } = process.memoryUsage();
	return { held: arrayBuffers + heapUsed, rss };
}
