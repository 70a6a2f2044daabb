/** Run by `fallbacks.test.ts` where something is missing: what calls of a component answer, and what its embedder is told. */
import { openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { Engine } from "../../src/embed/mod.ts";
import { webAssembly } from "../../src/engine/v8/v8.ts";

const [lack = "", cache = ""] = process.argv.slice(2);

/** Of different code, so that nothing is shared. Counts its calls, in a memory that is worth mapping, and has it grow. */
const counter = async (start: number): Promise<Uint8Array> =>
	await parse(`(component
		(core module $m (memory 16) (data (i32.const 1000000) "\\0${start}")
			(func (export "f") (result i32) ${"(nop)".repeat(start)}
				(drop (memory.grow (i32.const 1)))
				(i32.store8 (i32.const 1000000) (i32.add (i32.load8_u (i32.const 1000000)) (i32.const 1)))
				(i32.add (i32.load8_u (i32.const 1000000)) (i32.mul (memory.size) (i32.const 100)))))
		(core instance $i (instantiate $m))
		(func (export "f") (result u32) (canon lift (core func $i "f"))))`);

const warnings: string[] = [];
process.on("warning", ({ name, message }) => warnings.push(`${name}: ${message}`));
const engine = new Engine({ cache: cache === "" ? false : cache, onWarning: (message) => warnings.push(message) });
const answers: unknown[] = [];

async function ask(start: number): Promise<void> {
	const loaded = await engine.load(await counter(start));
	const found = new Set<unknown>();
	for (let i = 0; i < 20; i++) found.add(await tell(loaded.call(["f"], [])));
	for (const answer of await Promise.all(Array.from({ length: 8 }, async () => await tell(loaded.call(["f"], []))))) {
		found.add(answer);
	}
	answers.push([...found].join(", "));
}

async function tell(call: Promise<unknown>): Promise<unknown> {
	try {
		return await call;
	} catch (error) {
		return (error as { code?: unknown }).code ?? String(error);
	}
}

await ask(1);
const taken: unknown[] = [];
try {
	for (;;) {
		if (lack === "descriptors") openSync("/dev/null", "r");
		else if (lack === "addresses")
			taken.push(new (webAssembly().Memory)({ initial: 1, shared: false, address: "i32" }));
		else break;
	}
} catch {
	// That was the last of them.
}
await ask(2);
taken.length = 0;
await ask(3);
// What is written to the cache is written when there is time, which is said if it fails; once.
const deadline = performance.now() + (cache === "" ? 0 : 20_000);
while (warnings.length === 0 && performance.now() < deadline) await sleep(10);
await sleep(300);
console.log(JSON.stringify({ answers, warnings }));
