/**
 * Run as a process of its own, so that a crash is a failed test: guests touch what is beyond the logical size of their memory in every
 * way there is. Prints what became of each.
 */
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { rewriteModule } from "../../rewrite/mod.ts";
import { createLinuxPageMapper } from "./linux-pages.ts";
import { CoreMemories } from "../state/owned.ts";
import { webAssembly, type WasmImports } from "../v8/v8.ts";

/** Each has the address (i32) as `$a`, and gives an i32. The memory has one page, and may grow to 400; what V8 sees has more. */
const ACCESSES: Readonly<Record<string, string>> = {
	load: "(i32.load (local.get $a))",
	"load with an offset": "(i32.load offset=60000 (local.get $a))",
	store: "(i64.store (local.get $a) (i64.const 1)) (i32.const 0)",
	"vector load": "(i32x4.extract_lane 0 (v128.load (local.get $a)))",
	"vector store": "(v128.store (local.get $a) (v128.const i32x4 1 2 3 4)) (i32.const 0)",
	"lane load": "(i32x4.extract_lane 0 (v128.load8_lane 3 (local.get $a) (v128.const i32x4 1 2 3 4)))",
	"memory.fill": "(memory.fill (local.get $a) (i32.const 1) (i32.const 100)) (i32.const 0)",
	"memory.fill across the end": "(memory.fill (i32.const 65000) (i32.const 1) (local.get $a)) (i32.const 0)",
	"memory.copy to": "(memory.copy (local.get $a) (i32.const 0) (i32.const 100)) (i32.const 0)",
	"memory.copy from": "(memory.copy (i32.const 0) (local.get $a) (i32.const 100)) (i32.const 0)",
	"memory.init": "(memory.init $d (local.get $a) (i32.const 0) (i32.const 4)) (i32.const 0)",
	"atomic load": "(i32.atomic.load (local.get $a))",
	"atomic store": "(i32.atomic.store (local.get $a) (i32.const 1)) (i32.const 0)",
	"atomic add": "(i32.atomic.rmw.add (local.get $a) (i32.const 1))",
	"atomic compare": "(i32.atomic.rmw.cmpxchg (local.get $a) (i32.const 1) (i32.const 2))",
	notify: "(memory.atomic.notify (local.get $a) (i32.const 1))",
	"loop over constant addresses": `(local $i i32) (local $s i32)
		(loop $l (local.set $s (i32.add (local.get $s) (i32.load offset=65532 (i32.const 0))))
			(br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
		(i32.add (local.get $s) (i32.load (local.get $a)))`,
};

const names = Object.keys(ACCESSES);
const wat = `(module (memory 1 400) (data $d "abcd")
	(func (export "size") (result i32) (memory.size))
	(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
	${names.map((name) => `(func (export "${name}") (param $a i32) (result i32) ${ACCESSES[name]})`).join("\n")})`;

const found = createLinuxPageMapper();
const { Instance, Module, RuntimeError } = webAssembly();
const rewritten = rewriteModule(new Uint8Array(await parse(wat)), 0, { metering: "off", verify: true });
const memories = new CoreMemories({ mapper: typeof found === "string" ? undefined : found });
const imports: WasmImports = {};
const module = new Module(rewritten.bytes);
const complete = memories.prepare(module, rewritten, imports);
const instance = new Instance(module, imports);
complete(instance);

function call(name: string, argument: number): string {
	try {
		return String((instance.exports[name] as (a: number) => number)(argument));
	} catch (error) {
		return error instanceof RuntimeError ? error.message : `not a trap: ${String(error)}`;
	}
}

const outcomes: Record<string, Record<string, string>> = {};
/** Often enough for the optimising compiler. */
const ROUNDS = 2000;
for (const name of names) {
	// Behind the logical end, at the end of what V8 sees, and far beyond.
	const at: Record<string, number> = { behind: 65_536, far: 3 * 65_536, "V8's end": 257 * 65_536 - 4, beyond: -256 };
	outcomes[name] = {};
	for (const [where, address] of Object.entries(at)) outcomes[name][where] = call(name, address);
	for (let i = 0; i < ROUNDS; i++) call(name, name === "memory.fill across the end" ? 8 : 64);
	for (const [where, address] of Object.entries(at)) {
		const again = call(name, address);
		if (again !== outcomes[name][where]) outcomes[name][where] += `, then ${again}`;
	}
}
// Grown, the same place is the guest's; and V8's own end is passed by growing far.
outcomes["grow"] = {
	size: call("size", 0),
	by1: call("grow", 1),
	load: call("load", 65_536),
	by300: call("grow", 300),
	"load far": call("load", 300 * 65_536),
	behind: call("load", 302 * 65_536),
	"too far": call("grow", 100),
	"size then": call("size", 0),
};
process.stdout.write(JSON.stringify(outcomes));
