import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeComponent } from "../component/mod.ts";
import { CompileCache, type CompileCounts, interruptFlag } from "../engine/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { openComponent } from "./link.ts";
import { run } from "./packed.fixture.ts";
import { packComponent } from "./packed.ts";

const COMPONENT = new Uint8Array(
	await parse(`(component
		(component $inner (core module $m (memory 1) (global $n (mut i32) (i32.const 41))
			(func $next (export "next") (result i32)
				(loop (br_if 0 (i32.const 0)))
				(global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
			(func $fail (export "fail") (result i32) (loop (br_if 0 (i32.const 0))) unreachable))
			(core instance $i (instantiate $m))
			(func (export "next") (result u32) (canon lift (core func $i "next")))
			(func (export "fail") (result u32) (canon lift (core func $i "fail"))))
		(instance $a (instantiate $inner))
		(export "next" (func $a "next")) (export "fail" (func $a "fail")))`),
);

test("a packed component runs as the component does, without rewriting", async () => {
	const plain = await run(COMPONENT, "1");
	assert.deepEqual(plain.counts, { found: 0, rewritten: 1, derived: 0, damaged: 0 });
	for (const metering of ["trap", "off"] as const) {
		const file = await packComponent(COMPONENT, "1", metering);
		const { counts, fail } = await run(file, "1");
		assert.deepEqual(counts, { found: 1, rewritten: 0, derived: 0, damaged: 0 });
		// Offsets are those of the component that was packed
		assert.deepEqual(fail.frames, plain.fail.frames);
		const [frame] = fail.frames;
		assert.equal(COMPONENT[(frame?.moduleOffset ?? 0) + (frame?.offset ?? 0)], 0x00);
	}
});

test("another version, and another way of metering, make it anew from the component inside", async () => {
	const file = await packComponent(COMPONENT, "1", "trap");
	assert.equal((await run(file, "2")).counts.rewritten, 1);
	assert.equal((await run(file, "1", { metering: "off" })).counts.rewritten, 1);
	const again = await packComponent(file, "2", "off");
	assert.equal((await run(again, "2")).counts.found, 1);
	assert.deepEqual(again, await packComponent(COMPONENT, "2", "off"), "the same component, the same file");
});

/** In a process of its own, without V8's trap handler: there, checks look at the flag. */
function elsewhere(code: string): string {
	const from = (file: string): string => JSON.stringify(new URL(file, import.meta.url));
	const text = `import { packComponent } from ${from("packed.ts")};
		import { run } from ${from("packed.fixture.ts")};
		console.log(${code});`;
	const args = ["--disable-wasm-trap-handler", "--input-type=module", "-e", text];
	const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 24 });
	assert.equal(status, 0, stderr);
	return stdout;
}

const same = interruptFlag().check === "flag" && "checks look at the flag here, too";
test(
	"a file from a machine that stops guests in another way is made anew from the component inside",
	{ skip: same },
	async () => {
		const pack = (metering: string): string =>
			`Buffer.from(await packComponent(Buffer.from("${Buffer.from(COMPONENT).toString("base64")}", "base64"), "1", "${metering}")).toString("base64")`;
		for (const [metering, rewritten] of [
			["trap", 1],
			["yield", 0],
		] as const) {
			const file = Buffer.from(elsewhere(pack(metering)), "base64");
			assert.equal((await run(file, "1", { metering })).counts.rewritten, rewritten, metering);
			const own = Buffer.from(await packComponent(COMPONENT, "1", metering)).toString("base64");
			const there = elsewhere(
				`JSON.stringify((await run(Buffer.from("${own}", "base64"), "1", { metering: "${metering}" })).counts)`,
			);
			assert.equal((JSON.parse(there) as CompileCounts).rewritten, rewritten, metering);
		}
	},
);

test("a file that was damaged anywhere is refused before anything of it is used", async () => {
	const file = await packComponent(COMPONENT, "1", "trap");
	const damaged = [
		file.subarray(0, 8),
		file.subarray(0, 39),
		file.subarray(0, -1),
		Uint8Array.of(...file, 0),
		...[8, 39, 40, 60, 200, file.length - 1].map((at) => file.with(at, (file[at] ?? 0) ^ 1)),
	];
	for (const bytes of damaged) {
		await assert.rejects(openComponent(bytes, new CompileCache({ version: "1" })), {
			name: "SkerryError",
			code: "artefact/damaged",
			hint: "make it again: `skerry compile`",
		});
	}
});

test("what is not valid is not packed", async () => {
	const [module] = decodeComponent(COMPONENT).definitions.flatMap((item) =>
		item.kind === "component" ? item.component.definitions : [],
	);
	assert.ok(module?.kind === "core module");
	await assert.rejects(packComponent(module.bytes, "1", "trap"), { code: "binary/core-module" });
	await assert.rejects(packComponent(new Uint8Array(3), "1", "trap"), SkerryError);
	const invalid = new Uint8Array(await parse("(component (core module (func (result i32))))"));
	await assert.rejects(packComponent(invalid, "1", "trap"), { code: "core/invalid" });
});
