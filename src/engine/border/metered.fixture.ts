/** Core guests that look at the flag and at their fuel as the rewriter's do, written by hand: `(call $check)` is what it puts at loops. */
import { HOST_FUNCTIONS } from "../../rewrite/mod.ts";
import { interruptFlag } from "../stop/flag.ts";
import type { Gate } from "./gate.ts";
import { assemble } from "../guest.fixture.ts";
import { scheduleFunctions } from "../stop/schedule-functions.ts";
import { webAssembly, type WasmImports, type WasmInstance } from "../v8/v8.ts";

const SLOW = `(if (local.tee 0 (call_indirect $host (result i32) (i32.const 0)))
	(then (if (i32.ne (local.get 0) (i32.const 2)) (then unreachable))
		(if (call_indirect $host (result i32) (i32.const 1)) (then unreachable))))`;

const FLAG = `(func $check
		(if (i32.load8_u $flag (i32.const 0)) (then (i32.store $flag (i32.const 0) (i32.const 0x100)) unreachable)))`;

/** `trap`: as it is on this machine; `flag`: as it is where the page cannot be protected. */
const CHECKS: Readonly<Record<"trap" | "flag" | "yield" | "fuel", string>> = {
	trap: interruptFlag().check === "flag" ? FLAG : `(func $check (drop (i32.load8_u $flag (i32.const 65536))))`,
	flag: FLAG,
	yield: `(func $check (local i32) (if (i32.load8_u $flag (i32.const 0)) (then ${SLOW})))`,
	fuel: `(func $check (local i32)
		(i64.store $flag (i32.const 16) (i64.sub (i64.load $flag (i32.const 16)) (i64.const 1)))
		(if (i64.lt_s (i64.load $flag (i32.const 16)) (i64.const 0)) (then ${SLOW})))`,
};

interface Table {
	set(index: number, value: unknown): void;
}

/** A guest behind `gate`; `fields` may import, from what is given. */
export async function meteredGuest(
	gate: Gate,
	metering: keyof typeof CHECKS,
	fields: string,
	imports: WasmImports = {},
	importFields = "",
): Promise<WasmInstance> {
	const bytes = await assemble(`(module ${importFields}
		(import "skerry" "flag" (memory $flag 1 2 shared))
		${CHECKS[metering]} ${fields}
		(table $host (export "host") ${HOST_FUNCTIONS.length} ${HOST_FUNCTIONS.length} funcref))`);
	const given = { ...imports, skerry: { flag: interruptFlag().memory } };
	const instance = gate.instantiate(new (webAssembly().Module)(bytes), given, {
		offset: 0,
		// Where a trap is, nobody knows: that it was a check is told by the page alone
		sites: undefined,
	});
	for (const [name, fn] of Object.entries(scheduleFunctions())) {
		(instance.exports["host"] as Table).set(HOST_FUNCTIONS.indexOf(name as (typeof HOST_FUNCTIONS)[number]), fn);
	}
	return instance;
}
