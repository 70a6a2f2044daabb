/** Every row of the table of limits: what needs exactly so much has it at the limit and above, and not below. */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "../../src/embed/mod.ts";
import { CompileCache } from "../../src/engine/mod.ts";
import { LIMITS, type LimitName, type MeteringMode } from "../../src/fault/mod.ts";
import { linkComponent, loadComponent } from "../../src/link/mod.ts";
import { SandboxPool } from "../../src/pool/mod.ts";
import { WASI_HOST } from "../../src/wasi/mod.ts";

const PAGE = 65_536;
/** Milliseconds that are enough whatever else the machine does. */
const AMPLE = 60_000;
const cache = new CompileCache();

interface Row {
	/** What `f` needs, in the limit's unit. */
	readonly needs: number;
	/** Of times, which are not exact to the millisecond: what is tried is so much less, and `AMPLE`. */
	readonly tolerance?: number;
	/** Definitions of the component before its module, which gets "act" and "new". */
	readonly wat: string;
	readonly act?: () => unknown;
	readonly metering?: MeteringMode;
	/** What `f` answers, or how it ends, below the limit; 1 otherwise. */
	readonly below: number | RegExp;
}

const ONE = "(i32.const 1)";
const repeat = (times: number, what: string): string => what.repeat(times);
const body = (fields: string, instances = ""): string => `(component
	(import "act" (func $act)) (core func $act' (canon lower (func $act)))
	(type $r (resource (rep i32))) (core func $new (canon resource.new $r))
	(core module $m
		(import "" "act" (func $act)) (import "" "new" (func $new (param i32) (result i32)))
		${fields})
	(core instance $i (instantiate $m (with "" (instance (export "act" (func $act')) (export "new" (func $new))))))
	${instances}
	(func (export "f") (result s32) (canon lift (core func $i "f"))))`;
const f = (code: string, fields = ""): string => body(`${fields} (func (export "f") (result i32) ${code})`);

/** Until this thread has had the processor for so long. */
function spin(ms: number): void {
	for (const from = process.threadCpuUsage(); ;) {
		const { user, system } = process.threadCpuUsage(from);
		if (user + system >= ms * 1000) return;
	}
}

/** `stack` is the process's (`src/engine/stack.test.ts`), `output` is below. */
const ROWS: Readonly<Record<Exclude<LimitName, "stack" | "output">, Row>> = {
	memory: {
		needs: 3 * PAGE,
		wat: f(`(i32.ne (memory.grow (i32.const 1)) (i32.const -1))`, "(memory 1) (memory 1)"),
		below: 0,
	},
	tables: {
		needs: 9,
		wat: f(
			`(i32.ne (table.grow $t (ref.null func) (i32.const 4)) (i32.const -1))`,
			"(table $t 3 funcref) (table 2 externref)",
		),
		below: 0,
	},
	gcHeap: {
		needs: 24 + 1000 + (16 + 8 + 16) + (128 + 2 * 64),
		wat: f(
			`(drop (array.new_default $bytes (i32.const 1000))) (drop (struct.new_default $s))
			(block $caught (try_table (catch_all $caught) (throw $e (i32.const 1) (i32.const 2)))) ${ONE}`,
			"(type $bytes (array i8)) (type $s (struct (field i8) (field v128))) (tag $e (param i32 i32))",
		),
		below: /^killed: gcHeap 1319 bytes \(limit "gcHeap" of app x\)$/,
	},
	instances: {
		needs: 3,
		wat: body(
			`(func (export "f") (result i32) ${ONE})`,
			"(core module $empty) (core instance (instantiate $empty)) (core instance (instantiate $empty))",
		),
		below: /^killed: instances 2 instances \(limit "instances" of app x\)$/,
	},
	wall: {
		needs: 60,
		tolerance: 40,
		act: () => sleep(60),
		wat: f(`(call $act) (call $act) (i32.const 1)`),
		below: /^killed: wall \d+ ms \(limit "wall" of app x\)$/,
	},
	cpu: {
		needs: 60,
		tolerance: 40,
		act: () => spin(30),
		wat: f(`(call $act) (call $act) (call $act) (i32.const 1)`),
		below: /^killed: cpu \d+ ms \(limit "cpu" of app x\)$/,
	},
	fuel: {
		needs: 6,
		metering: "fuel",
		wat: f(`${repeat(5, "(drop (i32.const 0))")} (loop) ${ONE}`),
		below: /^killed: fuel 5 instructions \(limit "fuel" of app x\)$/,
	},
	handles: {
		needs: 3,
		wat: f(`${repeat(3, "(drop (call $new (i32.const 5)))")} ${ONE}`),
		below: /^handle table is full \(limit "handles" of app x: 2\)$/,
	},
	streams: {
		needs: 3,
		wat: `(component
			(type $s (stream u8)) (core func $stream (canon stream.new $s)) (type $f (future)) (core func $future (canon future.new $f))
			(core func $drop (canon stream.drop-readable $s))
			(core module $m
				(import "" "stream" (func $stream (result i64))) (import "" "future" (func $future (result i64)))
				(import "" "drop" (func $drop (param i32)))
				(func (export "f") (result i32)
					(call $drop (i32.wrap_i64 (call $stream)))
					(drop (call $stream)) (drop (call $future)) (drop (call $stream)) ${ONE}))
			(core instance $i (instantiate $m (with "" (instance
				(export "stream" (func $stream)) (export "future" (func $future)) (export "drop" (func $drop))))))
			(func (export "f") (result s32) (canon lift (core func $i "f"))))`,
		below: /^too many streams and futures \(limit "streams" of app x: 2\)$/,
	},
	values: {
		// Two strings of 10 bytes, both of them at one place: 48 for an element.
		needs: 2 * (48 + 10),
		wat: `(component
			(import "act" (func $act (param "names" (list string))))
			(core module $memory (memory (export "memory") 1) (data (i32.const 0) "\\20\\00\\00\\00\\0a\\00\\00\\00\\20\\00\\00\\00\\0a\\00\\00\\00"))
			(core instance $memory (instantiate $memory)) (alias core export $memory "memory" (core memory $mem))
			(core func $act' (canon lower (func $act) (memory $mem)))
			(core module $m (import "" "act" (func $act (param i32 i32)))
				(func (export "f") (result i32) (call $act (i32.const 0) (i32.const 2)) ${ONE}))
			(core instance $i (instantiate $m (with "" (instance (export "act" (func $act'))))))
			(func (export "f") (result s32) (canon lift (core func $i "f"))))`,
		below: /^too much in the lists of one call \(limit "values" of app x: 115\)$/,
	},
	buffered: {
		needs: 3 * 128,
		wat: `(component
			(import "wasi:http/types@0.2.0" (instance $http
				(export "fields" (type $fields (sub resource))) (export "[constructor]fields" (func (result (own $fields))))))
			(alias export $http "fields" (type $fields)) (core func $drop (canon resource.drop $fields))
			(core func $new (canon lower (func $http "[constructor]fields")))
			(core module $m
				(import "" "new" (func $new (result i32))) (import "" "drop" (func $drop (param i32)))
				(func (export "f") (result i32)
					(call $drop (call $new)) (drop (call $new)) (drop (call $new)) (drop (call $new)) ${ONE}))
			(core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
			(func (export "f") (result s32) (canon lift (core func $i "f"))))`,
		below: /^killed: buffered 383 bytes \(limit "buffered" of app x\)$/,
	},
	hostCalls: {
		needs: 3,
		wat: f(`${repeat(3, "(call $act)")} ${ONE}`),
		below: /^killed: hostCalls 2 calls \(limit "hostCalls" of app x\)$/,
	},
};

async function run(
	{ wat, metering, act = () => {} }: Row,
	limits: Partial<Record<LimitName, number>>,
): Promise<unknown> {
	const host = { interfaces: WASI_HOST.interfaces, functions: { act } };
	const linked = await linkComponent(
		loadComponent(await parse(wat)),
		host,
		cache,
		metering === undefined ? {} : { metering },
	);
	const pool = new SandboxPool(linked, { wasi: () => ({}), limits, app: "x" });
	try {
		const sandbox = await pool.acquire();
		try {
			return await sandbox.call(["f"], []);
		} finally {
			sandbox.end(undefined);
		}
	} catch (error) {
		return (error as Error).message;
	} finally {
		pool.close(undefined);
	}
}

/** The same in a sandbox that an embedder keeps, and for which alone it gives the limits. */
async function runKept(
	{ wat, metering, act = () => {} }: Row,
	limits: Partial<Record<LimitName, number>>,
): Promise<unknown> {
	const given = { app: "x", ...(metering === undefined ? {} : { metering }) };
	const options = wat.includes(`(import "act"`) ? { ...given, imports: { act } } : given;
	const component = await new Engine({ cache: false }).load(new Uint8Array(await parse(wat)), options);
	try {
		using sandbox = component.instantiate({ limits });
		return await sandbox.call(["f"], []);
	} catch (error) {
		return (error as Error).message;
	}
}

suite("limits, one below, at, and one above", () => {
	test("each has its row here", () => {
		assert.deepEqual([...Object.keys(ROWS), "stack", "output"].toSorted(), Object.keys(LIMITS).toSorted());
	});

	for (const [name, row] of Object.entries(ROWS)) {
		test(name, async () => {
			const { needs, tolerance = 1, below } = row;
			const refused = await run(row, { [name]: needs - tolerance });
			if (typeof below === "number") assert.equal(refused, below);
			else assert.match(String(refused), below);
			// Times are longer than what was asked for, by what the machine does meanwhile.
			for (const limit of row.tolerance === undefined ? [needs, needs + 1] : [AMPLE])
				assert.equal(await run(row, { [name]: limit }), 1);
		});

		test(`${name}, of a sandbox that is kept`, async () => {
			const { needs, tolerance = 1, below } = row;
			const refused = await runKept(row, { [name]: needs - tolerance });
			if (typeof below === "number") assert.equal(refused, below);
			else assert.match(String(refused), below);
			assert.equal(await runKept(row, { [name]: row.tolerance === undefined ? needs : AMPLE }), 1);
		});
	}

	for (const stream of ["stdout", "stderr"] as const) {
		test(`output: ${stream}`, async () => {
			const bytes = await parse(`(module
				(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
				(memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00") (data (i32.const 16) "hello")
				(func $say (drop (call $write (i32.const ${stream === "stdout" ? 1 : 2}) (i32.const 0) (i32.const 1) (i32.const 8))))
				(func (export "_start") (call $say) (call $say)))`);
			for (const [output, due] of [
				[9, "hellohell"],
				[10, "hellohello"],
				[11, "hellohello"],
			] as const) {
				let text = "";
				const into = new Writable({
					write(chunk: Buffer, _, done) {
						text += chunk.toString();
						done();
					},
				});
				const guest = await new Engine({ cache: false }).load(bytes, { limits: { output }, wasi: { [stream]: into } });
				const started = Promise.try(() => guest.call(["_start"], []));
				if (output < 10) await assert.rejects(started, { message: 'killed: output 9 bytes (limit "output")' });
				else await started;
				assert.equal(text, due);
			}
		});
	}
});
