/** The same table for what an embedder has beside: a graph of components, which has one set of limits, and calls without a promise. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { type Component, Engine } from "../../src/embed/mod.ts";
import type { LimitName, Limits, MeteringMode } from "../../src/fault/mod.ts";

const PAGE = 65_536;
/** Milliseconds that are enough whatever else the machine does. */
const AMPLE = 60_000;

/** What one node does, and the fields of its module for that. */
interface Part {
	readonly code: string;
	readonly fields?: string;
	/** Further definitions of the node. */
	readonly beside?: string;
}

interface Row {
	/** What both nodes need together, in the limit's unit. */
	readonly needs: number;
	/** Of times, which are not exact to the millisecond: what is tried is so much less, and `AMPLE`. */
	readonly tolerance?: number;
	readonly app: Part;
	readonly lib: Part;
	readonly act?: () => unknown;
	readonly metering?: MeteringMode;
	/** What `f` answers, or how it ends, below the limit; 1 otherwise. */
	readonly below: number | RegExp;
}

const ONE = "(i32.const 1)";
const same = (code: string, fields = "", beside = ""): Pick<Row, "app" | "lib"> => {
	const part = { code: `${code} ${ONE}`, fields, beside };
	return { app: part, lib: part };
};
const killed = (what: string): RegExp => new RegExp(`^killed: ${what} of app x\\)$`);

/** Until this thread has had the processor for so long. */
function spin(ms: number): void {
	for (const from = process.threadCpuUsage(); ;) {
		const { user, system } = process.threadCpuUsage(from);
		if (user + system >= ms * 1000) return;
	}
}

const STREAMS = `(type $s (stream u8)) (core func $stream (canon stream.new $s))
	(core instance $beside (export "stream" (func $stream)))`;
const FIELDS = `(import "wasi:http/types@0.2.0" (instance $http
		(export "fields" (type $fields (sub resource))) (export "[constructor]fields" (func (result (own $fields))))))
	(core func $fields (canon lower (func $http "[constructor]fields")))
	(core instance $beside (export "fields" (func $fields)))`;
const HANDLES = `(type $r (resource (rep i32))) (core func $new (canon resource.new $r))
	(core instance $beside (export "new" (func $new)))`;
const LISTS = `(import "say" (func $say (param "names" (list string))))
	(core module $memory (memory (export "memory") 1) (data (i32.const 0) "\\20\\00\\00\\00\\0a\\00\\00\\00\\20\\00\\00\\00\\0a\\00\\00\\00"))
	(core instance $memory (instantiate $memory)) (alias core export $memory "memory" (core memory $mem))
	(core func $say (canon lower (func $say) (memory $mem)))
	(core instance $beside (export "say" (func $say)))`;
const OUTPUT = `(import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
	(alias export $errors "error" (type $error))
	(import "wasi:io/streams@0.2.0" (instance $io
		(alias outer 1 $error (type $e)) (export "error" (type $error (eq $e)))
		(export "output-stream" (type $out (sub resource)))
		(type $failure (variant (case "last-operation-failed" (own $error)) (case "closed")))
		(export "stream-error" (type $stream-error (eq $failure)))
		(export "[method]output-stream.blocking-write-and-flush"
			(func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
	(alias export $io "output-stream" (type $out))
	(import "wasi:cli/stdout@0.2.0" (instance $cli (alias outer 1 $out (type $o)) (export "output-stream" (type $same (eq $o)))
		(export "get-stdout" (func (result (own $same))))))
	(core module $memory (memory (export "memory") 1) (data (i32.const 0) "hello"))
	(core instance $memory (instantiate $memory)) (alias core export $memory "memory" (core memory $mem))
	(core func $get (canon lower (func $cli "get-stdout")))
	(core func $write (canon lower (func $io "[method]output-stream.blocking-write-and-flush") (memory $mem)))
	(core instance $beside (export "get" (func $get)) (export "write" (func $write)))`;

/** `stack` is the process's. */
const ROWS: Readonly<Record<Exclude<LimitName, "stack">, Row>> = {
	memory: {
		needs: 4 * PAGE,
		...same(`(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (return (i32.const 0))))`, "(memory 1)"),
		below: 0,
	},
	tables: {
		needs: 14,
		...same(
			`(if (i32.eq (table.grow $t (ref.null func) (i32.const 4)) (i32.const -1)) (then (return (i32.const 0))))`,
			"(table $t 3 funcref)",
		),
		below: 0,
	},
	gcHeap: {
		needs: 2 * (24 + 1000),
		...same("(drop (array.new_default $bytes (i32.const 1000)))", "(type $bytes (array i8))"),
		below: killed(`gcHeap 2047 bytes \\(limit "gcHeap"`),
	},
	instances: {
		needs: 4,
		...same("", "", "(core module $empty) (core instance (instantiate $empty))"),
		below: killed(`instances 3 instances \\(limit "instances"`),
	},
	wall: {
		needs: 600,
		tolerance: 250,
		act: () => sleep(300),
		...same("(call $act)"),
		below: killed(`wall 350 ms \\(limit "wall"`),
	},
	cpu: {
		needs: 90,
		tolerance: 40,
		act: () => spin(15),
		...same("(call $act) (call $act) (call $act)"),
		below: killed(`cpu 50 ms \\(limit "cpu"`),
	},
	fuel: {
		needs: 10,
		metering: "fuel",
		...same("(drop (i32.const 0)) (loop)"),
		below: killed(`fuel \\d+ instructions \\(limit "fuel"`),
	},
	// Of each instance
	handles: {
		needs: 2,
		...same(
			"(drop (call $new (i32.const 5))) (drop (call $new (i32.const 5)))",
			`(import "beside" "new" (func $new (param i32) (result i32)))`,
			HANDLES,
		),
		below: /^handle table is full \(limit "handles" of app x: 1\)$/,
	},
	streams: {
		needs: 4,
		...same(
			"(drop (call $stream)) (drop (call $stream))",
			`(import "beside" "stream" (func $stream (result i64)))`,
			STREAMS,
		),
		below: /^too many streams and futures \(limit "streams" of app x: 3\)$/,
	},
	// Of each call
	values: {
		needs: 2 * (48 + 10),
		...same("(call $say (i32.const 0) (i32.const 2))", `(import "beside" "say" (func $say (param i32 i32)))`, LISTS),
		below: /^too much in the lists of one call \(limit "values" of app x: 115\)$/,
	},
	buffered: {
		needs: 4 * 128,
		...same(
			"(drop (call $fields)) (drop (call $fields))",
			`(import "beside" "fields" (func $fields (result i32)))`,
			FIELDS,
		),
		below: killed(`buffered 511 bytes \\(limit "buffered"`),
	},
	output: {
		needs: 10,
		...same(
			"(call $write (call $get) (i32.const 0) (i32.const 5) (i32.const 16))",
			`(import "beside" "get" (func $get (result i32))) (import "beside" "write" (func $write (param i32 i32 i32 i32)))`,
			OUTPUT,
		),
		below: killed(`output 9 bytes \\(limit "output"`),
	},
	// One of them of the other node
	hostCalls: { needs: 5, ...same("(call $act) (call $act)"), below: killed(`hostCalls 4 calls \\(limit "hostCalls"`) },
};

/** A node whose `f` does its part, and then what `lib` does, if it imports that; 0 where one of them gives that. */
function node({ code, fields = "", beside = "" }: Part, imports: boolean): string {
	const lib = imports
		? `(import "a:b/lib" (instance $lib (export "f" (func (result s32))))) (core func $lib (canon lower (func $lib "f")))
			(core instance $lib (export "f" (func $lib)))`
		: "(core instance $lib)";
	const act = code.includes("$act")
		? `(import "act" (func $act)) (core func $act (canon lower (func $act))) (core instance $act (export "act" (func $act)))`
		: "(core instance $act)";
	return `(component
		${lib} ${act} ${beside} ${beside.includes("$beside") ? "" : "(core instance $beside)"}
		(core module $m
			${code.includes("$act") ? `(import "" "act" (func $act))` : ""} ${imports ? `(import "lib" "f" (func $lib (result i32)))` : ""}
			${fields}
			(func $part (result i32) ${code})
			(func (export "f") (result i32) (i32.and (call $part) ${imports ? "(call $lib)" : ONE}))
			(func (export "ok") (result i32) (i32.const 7)))
		(core instance $i (instantiate $m (with "" (instance $act)) (with "lib" (instance $lib)) (with "beside" (instance $beside))))
		(func $f (result s32) (canon lift (core func $i "f")))
		(func $ok (result s32) (canon lift (core func $i "ok")))
		${imports ? `(export "f" (func $f)) (export "ok" (func $ok))` : `(instance $o (export "f" (func $f))) (export "a:b/lib" (instance $o))`})`;
}

async function compose(row: Row, limits: Limits): Promise<Component> {
	const [app, lib] = await Promise.all([parse(node(row.app, true)), parse(node(row.lib, false))]);
	const nodes = { app: new Uint8Array(app), lib: new Uint8Array(lib) };
	const { act = () => {}, metering } = row;
	const imports = {
		...(row.app.code.includes("$act") ? { act } : {}),
		...(row.app.beside === LISTS ? { say() {} } : {}),
	};
	// What nobody reads is not counted.
	const wasi = { stdout: new PassThrough().resume() };
	const options = { app: "x", imports, limits, wasi, ...(metering === undefined ? {} : { metering }) };
	return await new Engine({ cache: false }).compose({ nodes, edges: [{ node: "app", from: "lib" }] }, options);
}

/** What imports functions, is asynchronous, or gives way to others. */
function mayWait({ app: { code, beside = "" }, metering }: Row): boolean {
	return code.includes("$act") || beside.includes("import") || beside === STREAMS || metering === "fuel";
}

type Run = (component: Component) => Promise<unknown>;

const RUNS: Readonly<Record<string, Run>> = {
	"a graph of components has its limits together": async (component) => await component.call(["f"], []),
	"a graph of components that is kept": async (component) => {
		using sandbox = component.instantiate();
		return await sandbox.call(["f"], []);
	},
	"without a promise": async (component) => {
		using sandbox = component.instantiate();
		return sandbox.sync["f"]();
	},
};

for (const [title, run] of Object.entries(RUNS))
	suite(title, () => {
		for (const [name, row] of Object.entries(ROWS)) {
			if (title === "without a promise" && mayWait(row)) continue;
			test(name, async () => {
				const { needs, tolerance = 1, below } = row;
				const limited = await compose(row, { [name]: needs - tolerance });
				// Others under way at the same time, and behind it
				const [least, ...others] = await Promise.all([
					run(limited).catch((error: unknown) => (error as Error).message),
					...Array.from({ length: 3 }, async () => await limited.call(["ok"], []).catch(String)),
				]);
				if (typeof below === "number") assert.equal(least, below);
				else assert.match(String(least), below);
				if (name !== "instances") assert.deepEqual([...others, await limited.call(["ok"], [])], [7, 7, 7, 7]);
				for (const limit of row.tolerance === undefined ? [needs, needs + 1] : [AMPLE])
					assert.equal(await run(await compose(row, { [name]: limit })), 1, `${limit}`);
			});
		}
	});
