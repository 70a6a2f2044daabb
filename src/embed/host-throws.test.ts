/** Whatever a host's functions throw, and whenever: it comes out of the call, and the process goes on. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine, type Imports } from "./mod.ts";

const bytes = new Uint8Array(
	await parse(`(component
		(import "r" (type $r (sub resource)))
		(import "[constructor]r" (func $new (result (own $r))))
		(import "fail" (func $fail (result u32)))
		(import "try-it" (func $try (result (result u32 (error u32)))))
		(core module $libc (memory (export "memory") 1))
		(core instance $libc (instantiate $libc))
		(core func $new (canon lower (func $new)))
		(core func $fail (canon lower (func $fail)))
		(core func $try (canon lower (func $try) (memory (core memory $libc "memory"))))
		(core module $m
			(import "h" "new" (func $new (result i32)))
			(import "h" "fail" (func $fail (result i32)))
			(import "h" "try" (func $try (param i32)))
			(func (export "keep") (result i32) (call $new))
			(func (export "keep-two") (result i32) (drop (call $new)) (call $new))
			(func (export "fail") (result i32) (call $fail))
			(func (export "try") (result i32) (call $try (i32.const 0)) (i32.const 1)))
		(core instance $m (instantiate $m (with "h" (instance
			(export "new" (func $new)) (export "fail" (func $fail)) (export "try" (func $try))))))
		(func (export "keep") (result u32) (canon lift (core func $m "keep")))
		(func (export "keep-two") (result u32) (canon lift (core func $m "keep-two")))
		(func (export "fail") (result u32) (canon lift (core func $m "fail")))
		(func (export "try-it") (result u32) (canon lift (core func $m "try"))))`),
);
const engine = new Engine({ cache: false });
class R {
	readonly made = true;
}
const fine: Imports = { R, fail: () => 7, tryIt: () => 7 };

const refuse = (): never => {
	throw new Error("asked");
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

const THROWN: Readonly<Record<string, unknown>> = {
	"a proxy that throws when it is asked for its class": new Proxy({}, { getPrototypeOf: refuse }),
	"a proxy of an error": new Proxy(new Error("x"), { get: refuse, getPrototypeOf: refuse }),
	"a proxy that was revoked": revoked.proxy,
	"a range error whose message throws": Object.defineProperty(new RangeError("x"), "message", { get: refuse }),
};

/** As `assert.rejects`, which looks at what it was; in an array, as a promise looks at what it is resolved with. */
async function reasonOf(call: Promise<unknown>): Promise<readonly [unknown]> {
	try {
		await call;
	} catch (error) {
		return [error];
	}
	return assert.fail("the call returned");
}

suite("what a host's function throws", () => {
	for (const [name, thrown] of Object.entries(THROWN))
		for (const [when, fail] of Object.entries({
			"at once": (): never => {
				throw thrown;
			},
			later: async (): Promise<never> => {
				await sleep(1);
				throw thrown;
			},
		}))
			test(`${name}, ${when}`, { timeout: 60_000 }, async () => {
				const component = await engine.load(bytes, { imports: { R, fail, tryIt: fail } });
				using sandbox = component.instantiate();
				for (const call of [component.exports.fail, component.exports.tryIt, sandbox.exports.fail]) {
					const [reason] = await reasonOf(call());
					assert.ok(reason === thrown);
				}
				const neighbour = await engine.load(bytes, { imports: fine });
				assert.equal(await neighbour.exports.fail(), 7);
			});
});

/** What `count` warnings of the process say that come while `act` runs, or after it. */
async function warnings(count: number, act: () => Promise<void>): Promise<string[]> {
	const warned: string[] = [];
	const listen = ({ message }: Error): void => void warned.push(message);
	process.on("warning", listen);
	try {
		await act();
		while (warned.length < count) await sleep(1);
	} finally {
		process.off("warning", listen);
	}
	return warned;
}

class Late {
	async [Symbol.dispose](): Promise<void> {
		await sleep(1);
		throw new Error("too late");
	}
}
class AtOnce {
	[Symbol.dispose](): void {
		throw new Error("at once");
	}
}

test("a destructor that fails after the sandbox has ended is a warning", { timeout: 60_000 }, async () => {
	const text = "what a guest held of the host was not given back cleanly: too late";
	const warned = await warnings(2, async () => {
		const component = await engine.load(bytes, { imports: { ...fine, R: Late } });
		assert.equal(typeof (await component.exports.keep()), "number");
		const sandbox = component.instantiate();
		await sandbox.exports.keep();
		sandbox[Symbol.dispose]();
	});
	assert.deepEqual(warned, [text, text]);
});

for (const [R, said] of [
	[Late, "too late"],
	[AtOnce, "at once"],
] as const)
	test(
		`a destructor that fails (${said}) of what the guest has no handle left for is a warning`,
		{ timeout: 60_000 },
		async () => {
			const full = { message: 'handle table is full (limit "handles": 1)' };
			const component = await engine.load(bytes, { imports: { ...fine, R }, limits: { handles: 1 } });
			// Of both that were made: the one in the table, and the one without room
			const warned = await warnings(2, async () => await assert.rejects(component.exports["keepTwo"]!(), full));
			assert.deepEqual(warned, Array(2).fill(`what a guest held of the host was not given back cleanly: ${said}`));
		},
	);
