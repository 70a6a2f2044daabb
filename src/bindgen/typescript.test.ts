import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
	existsSync,
	globSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, suite, test } from "node:test";

import { SkerryError } from "../fault/mod.ts";
import { printTypeScript, readComponentWorld, readWorld, type WitSource } from "./mod.ts";

const root = path.resolve(import.meta.dirname, "../..");
const FIXTURES = path.join(import.meta.dirname, "fixtures/shop");
const SUITES = path.resolve(root, "../shared/suites");
const folder = mkdtempSync(path.join(tmpdir(), "skerry-bindgen-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): { path: string; text: string } => ({
	path: name,
	text: readFileSync(path.join(FIXTURES, name), "utf8"),
});
const shop = (): WitSource => ({ main: { files: [file("world.wit")] }, deps: [{ files: [file("deps/kv.wit")] }] });

/** What the compiler says of the files of a folder: `name:line code`. */
async function check(at: string): Promise<string[]> {
	const options = {
		compilerOptions: {
			strict: true,
			noEmit: true,
			exactOptionalPropertyTypes: true,
			target: "esnext",
			module: "nodenext",
			lib: ["esnext", "dom"],
			types: ["node"],
			typeRoots: [path.join(root, "node_modules/@types")],
			customConditions: ["skerry-source"],
			allowImportingTsExtensions: true,
			skipLibCheck: false,
		},
		include: ["*.ts"],
	};
	writeFileSync(path.join(at, "tsconfig.json"), JSON.stringify(options));
	writeFileSync(path.join(at, "package.json"), '{ "type": "module" }');
	const output = await new Promise<string>((resolve) => {
		const tsc = path.join(root, "node_modules/.bin/tsc");
		execFile(tsc, ["-p", at, "--pretty", "false"], { cwd: at }, (_, stdout) => resolve(stdout));
	});
	return [...output.matchAll(/^(\S+?)\((\d+),\d+\): error (TS\d+)/gm)].map(
		([, name = "", line, code]) => `${path.basename(name)}:${line} ${code}`,
	);
}

/** Code that uses the types; a line is wrong where, and only where, it ends in `// wrong`. */
const HOST = `import type { Shop, AcmeKvStore, AcmeShopOrders } from "./shop.d.ts";
interface Component<E> { instantiate(): { exports: E } }
declare function load<W extends { imports: object; exports: object }>(imports: W["imports"]): Component<W["exports"]>;
class Bucket {
	static open(name: string): Bucket { return name === "" ? new Bucket() : new Bucket(); }
	get(key: string): Promise<Uint8Array | undefined> { return Promise.resolve(new Uint8Array(key.length)); }
	[Symbol.dispose](): void {}
}
class Wrong { static open(name: number): Wrong { return new Wrong(); } get(key: string): string { return key; } }
const shop = load<Shop>({ "acme:kv/store": { Bucket }, clock: { now: () => 1n }, log: (line) => void line.length });
load<Shop>({ "acme:kv/store": { Bucket: Wrong }, clock: { now: () => 1n }, log: () => {} }); // wrong
load<Shop>({ "acme:kv/store": { Bucket }, clock: { now: () => 1 }, log: () => {} }); // wrong
load<Shop>({ "acme:kv/store": { Bucket }, log: () => {} }); // wrong
load<Shop>({ "acme:kv/store": { Bucket }, clock: { now: () => 1n }, log: () => {}, logs: () => {} }); // wrong
load<Shop>({ "acme:kv/store": { Bucket }, clock: { now: () => 1n }, log: (line: number) => {} }); // wrong
const { exports } = shop.instantiate();
const { Basket, place, all, letter } = exports["acme:shop/orders"];
await using basket = await new Basket("me");
const count: number = await basket.add("tea", 2);
await basket.add("tea"); // wrong
await basket.add("tea", "2"); // wrong
await basket.sub("tea", 2); // wrong
const merged: AcmeShopOrders.Basket = await Basket.merge(basket, basket);
await Basket.merge(basket, { add: basket.add }); // wrong
const order = await place(merged, 5n);
await place(merged, 5); // wrong
const id: number = order.orderId;
const text: string = order.orderId; // wrong
switch (order.status.tag) {
	case "open":
		order.status.val; // wrong
		break;
	case "paid": {
		const paid: bigint = order.status.val;
		const wrong: string = order.status.val; // wrong
		break;
	}
	case "lost": // wrong
		break;
}
const note: string = order.note; // wrong
const maybe: string | undefined = order.note;
const blob: Uint8Array = order.blob;
const numbers: number[] = order.blob; // wrong
const [x, y]: [number, number] = order.where;
const size: "small" | "large" = order.size;
const huge: "huge" = order.size; // wrong
const wrapped: boolean = order.marks.giftWrapped;
const nested: number | undefined = order.nested.tag === "some" ? order.nested.val : undefined;
const orders: AcmeShopOrders.Order[] = await all();
const failure: AcmeKvStore.Error = { tag: "other", val: "why" };
const noFailure: AcmeKvStore.Error = { tag: "other" }; // wrong
const nothing: void = await letter("c");
await exports.run(["a"]);
await exports.run("a"); // wrong
const versioned: AcmeShopOrders.Order[] = await exports["acme:shop/orders@1.2.0"].all();
exports["acme:shop/orders@1.2.1"]; // wrong
export { count, id, text, maybe, blob, numbers, x, y, size, huge, wrapped, nested, orders, failure, noFailure, nothing, note, versioned };
`;

const GUEST = `import { Bucket } from "acme:kv/store@0.1.0";
import { now } from "clock";
import log from "log";
import type { Shop, AcmeShopOrders } from "acme:shop/shop@1.2.0";
class Basket {
	items = new Map<string, number>();
	constructor(readonly owner: string) {}
	static merge(a: Basket, b: Basket): Basket { return a ?? b; }
	async add(item: string, count: number): Promise<number> { this.items.set(item, count); return this.items.size; }
}
const bucket = Bucket.open("x");
new Bucket(); // wrong
const value: Uint8Array | undefined = bucket.get("key");
const late: Promise<Uint8Array> = bucket.get("key"); // wrong
const time: bigint = now();
log(5); // wrong
const order: AcmeShopOrders.Order = {
	orderId: 1, status: { tag: "paid", val: time }, tags: [], nested: { tag: "none" }, blob: new Uint8Array(),
	where: [0, 1], marks: { urgent: true, giftWrapped: false }, size: "small",
};
export const shop: Shop = { orders: { Basket, place: () => order, letter: () => {}, all: async () => [order] }, run() {} };
export const bad: Shop = { orders: { Basket, place: () => 5, letter: () => {}, all: () => [] }, run() {} }; // wrong
export const less: Shop = { orders: { Basket, place: () => order, letter: () => {}, all: () => [] } }; // wrong
export { value, late };
`;

const PIPES = `package acme:pipes@1.0.0;
interface flow {
  record part { body: stream<u8>, size: future<u32> }
  tee: async func(all: stream<u8>) -> tuple<stream<u8>, stream<string>>;
  turn: async func(p: part) -> part;
  sum: async func(n: stream<f64>) -> result<f64, string>;
  count: async func() -> stream<u32>;
}
world pipes {
  import source: async func(name: string) -> stream<string>;
  import sink: async func(s: stream<u8>, f: future<string>);
  export flow;
}`;

const STREAMS = `import type { GuestFuture, GuestStream } from "skerry";
import type { Pipes, AcmePipesFlow } from "./pipes.d.ts";
declare function load<W extends { imports: object; exports: object }>(imports: W["imports"]): W["exports"];
const sink = async (s: ReadableStream<Uint8Array>, f: { read(): Promise<string> }): Promise<void> => {
	for await (const chunk of s) chunk.subarray(1);
	await f.read();
};
const exports = load<Pipes>({ source: () => ["a"], sink });
load<Pipes>({ source: async function () { return (async function* () { yield "a"; })(); }, sink });
load<Pipes>({ source: () => [1], sink }); // wrong
load<Pipes>({ source: () => ["a"], sink: async (s: ReadableStream<string>) => {} }); // wrong
load<Pipes>({ source: () => ["a"], sink: async (s: ReadableStream<Uint8Array>, f: Promise<string>) => {} }); // wrong
const { tee, turn, sum, count } = exports["acme:pipes/flow"];
const [bytes, texts] = await tee(new Blob(["x"]).stream());
const chunk: Uint8Array | undefined = await bytes.readLast(5);
const own: GuestStream<Uint8Array, Uint8Array> = bytes;
for await (const text of texts) text.toUpperCase();
for await (const text of texts) text.subarray(1); // wrong
await tee(bytes);
await tee(texts); // wrong
await tee(5); // wrong
const part: AcmePipesFlow.Part = await turn({ body: [new Uint8Array(3)], size: Promise.resolve(3) });
await turn({ body: part.body, size: part.size });
await turn({ body: part.body, size: "3" }); // wrong
const size: number = await part.size; // wrong
const read: number = await part.size.read();
const future: GuestFuture<number> = part.size;
const total: number = await sum([1, 2]);
await sum(["1"]); // wrong
for await (const numbers of await count()) new Uint32Array(numbers.buffer);
const numbers: Uint32Array | undefined = await (await count()).readLast(5);
const single: GuestStream<number> = await count(); // wrong
export { chunk, own, size, read, future, total, numbers, single };
`;

/** The lines that are said to be wrong. */
function wrongLines(name: string, text: string): string[] {
	return text.split("\n").flatMap((line, i) => (line.endsWith("// wrong") ? [`${name}:${i + 1}`] : []));
}

suite("the types of a world", () => {
	let host = "";
	let guest = "";
	before(async () => {
		const world = await readWorld(shop());
		host = printTypeScript(world, "host");
		guest = printTypeScript(world, "guest");
	});

	for (const [side, name, code] of [
		["host", "shop.d.ts", HOST],
		["guest", "guest.d.ts", GUEST],
	] as const) {
		test(`compile, and make a wrong ${side} an error of the compiler`, async () => {
			const at = path.join(folder, side);
			mkdirSync(at);
			writeFileSync(path.join(at, name), side === "host" ? host : guest);
			writeFileSync(path.join(at, "use.ts"), code);
			const found = new Set((await check(at)).map((line) => line.replace(/ .*$/, "")));
			assert.deepEqual([...found].sort(), wrongLines("use.ts", code).sort());
		});
	}

	test("say what streams and futures are for a host, which are the objects of the run time", async () => {
		const at = path.join(folder, "pipes");
		mkdirSync(path.join(at, "node_modules"), { recursive: true });
		symlinkSync(root, path.join(at, "node_modules/skerry"));
		const world = await readWorld({ main: { files: [{ path: "pipes.wit", text: PIPES }] }, deps: [] });
		writeFileSync(path.join(at, "pipes.d.ts"), printTypeScript(world, "host"));
		writeFileSync(path.join(at, "use.ts"), STREAMS);
		// Skerry's own sources, which it reads for the types of the run time, have another configuration.
		const own = (await check(at)).filter((line) => /^(use|pipes\.d)\.ts/.test(line));
		const found = new Set(own.map((line) => line.replace(/ .*$/, "")));
		assert.deepEqual([...found].sort(), wrongLines("use.ts", STREAMS).sort());
	});

	test("carry the comments of the WIT", () => {
		for (const text of ["What a shop can do.", "A store of keys.", "Makes one.", "Adds an item.", "Not paid."]) {
			assert.ok(host.includes(text), text);
			assert.ok(guest.includes(text), text);
		}
		assert.match(host, /\/\*\* Writes a line\. \*\/\n\tlog\(line: string\): void \| Promise<void>;/);
		assert.match(host, /\* Opens a bucket\.\n\t\t \* @throws ComponentError whose payload is AcmeKvStore\.Error/);
		assert.match(guest, /\/\*\* Paid, with the sum in cents\. \*\/\n\t\t\t\| \{ tag: "paid"; val: bigint \}/);
	});

	test("are the same from a folder of files, and of a world that is named", async () => {
		const { text } = file("world.wit");
		const cut = text.indexOf("world shop {");
		const files = [
			{ path: "a.wit", text: text.slice(0, cut) },
			{ path: "b.wit", text: `${text.slice(cut)}\nworld other {}\n` },
		];
		const { deps } = shop();
		const world = await readWorld({ main: { files }, deps, world: "shop" });
		assert.equal(printTypeScript(world, "host"), host);
	});

	const refused: readonly (readonly [string, WitSource, RegExp])[] = [
		[
			"text that is none",
			{ main: { files: [{ path: "x.wit", text: "package a:b;\nworld {" }] }, deps: [] },
			/expected an identifier/,
		],
		["a package that is missing", { main: shop().main, deps: [] }, /package 'acme:kv@0\.1\.0' not found/],
		["a world that is missing", { ...shop(), world: "shop2" }, /shop2/],
		[
			"files of two packages",
			{ main: { files: [...shop().main.files, { path: "y.wit", text: "package c:d;" }] }, deps: [] },
			/its package is acme:shop@1\.2\.0 in another file/,
		],
	];
	for (const [name, source, message] of refused) {
		test(`refuse ${name}`, async () => {
			await assert.rejects(readWorld(source), (error) => {
				assert.ok(error instanceof SkerryError);
				assert.equal(error.code, "wit/invalid");
				assert.match(error.message, message);
				assert.ok(error.place?.file !== undefined);
				return true;
			});
		});
	}
});

test("an error of the WIT has its line where the name stands once, and its file where one has it", async () => {
	const dep = { path: "deps/c.wit", text: "package c:d;\ninterface e {\n\trecord map { a: u8 }\n}" };
	const table: readonly (readonly [text: string, deps: (typeof dep)[], place: object])[] = [
		["package a:b;\ninterface x {\n\tf: func(a: nope);\n}\nworld w { import x; }", [], { file: "a.wit", line: 3 }],
		["package a:b;\nworld w {\n\timport c:d/e;\n}", [dep], { file: "deps/c.wit", line: 3 }],
		[
			"package a:b;\ninterface x { f: func(a: no); g: func(a: no); // no\n}\nworld w { import x; }",
			[],
			{ file: "a.wit", line: 2 },
		],
		["package a:b;\ninterface x { f: func(a: no);\n g: func(a: no); }\nworld w { import x; }", [], { file: "a.wit" }],
	];
	for (const [text, deps, place] of table) {
		const source = { main: { files: [{ path: "a.wit", text }] }, deps: deps.map((file) => ({ files: [file] })) };
		await assert.rejects(readWorld(source), (error) => {
			assert.ok(error instanceof SkerryError);
			assert.deepEqual(error.place, place);
			return true;
		});
	}
});

test(
	"the types of real components compile",
	{ skip: existsSync(SUITES) ? false : `test data absent: ${SUITES}` },
	async () => {
		const at = path.join(folder, "real");
		mkdirSync(at);
		let count = 0;
		for (const source of globSync(`${SUITES}/{runtime-types,http,p3}/**/*.wasm`)) {
			const name = path.basename(source).replace(/\..*$/, "");
			const world = readComponentWorld(readFileSync(source), name);
			writeFileSync(path.join(at, `${name}.d.ts`), printTypeScript(world, "host"));
			count++;
		}
		assert.ok(count > 50, `${count} components`);
		assert.deepEqual(await check(at), []);
	},
);
