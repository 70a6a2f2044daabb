/** What a sandbox may hold, exactly: one below the limit, at it, and one above it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { CompileCache, createLinuxPageMapper, type Growth, type PageMapper } from "../engine/mod.ts";
import { LimitExceeded, type Limits } from "../fault/mod.ts";
import type { InstanceImage } from "./instance/core-states.ts";
import { type Instance, instantiate, type SlotOptions } from "./instance/instantiate.ts";
import type { Linked } from "./linked.ts";
import { linkComponent, loadComponent } from "./link.ts";

const PAGE = 65_536;
const cache = new CompileCache();
const found = createLinuxPageMapper();
const mapper = typeof found === "string" ? undefined : found;

/** Two core instances: a memory of two pages and a table of 10 in one, a memory of one page and two tables of 5 in the other. */
const GUEST = `(component
	(core module $a
		(memory 2) (table $t 10 funcref)
		(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
		(func (export "table") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
		(func (export "size") (param i32) (result i32) (i32.add (memory.size) (i32.mul (i32.const 1000) (table.size $t)))))
	(core module $b (memory 1) (table 5 funcref) (table 5 funcref)
		(func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))
	(core instance $a (instantiate $a)) (core instance $b (instantiate $b))
	${["grow", "table", "size"].map((name) => `(func (export "${name}") (param "n" u32) (result s32) (canon lift (core func $a "${name}")))`).join("\n")}
	(func (export "grow-b") (param "n" u32) (result s32) (canon lift (core func $b "grow"))))`;

let linking: Promise<Linked> | undefined;
async function link(): Promise<Linked> {
	linking ??= parse(GUEST).then((bytes) =>
		linkComponent(loadComponent(new Uint8Array(bytes)), { interfaces: [] }, cache),
	);
	return await linking;
}

async function create(limits: Limits, slot: SlotOptions = {}): Promise<Instance> {
	return instantiate(await link(), undefined, limits, "shop", slot);
}

async function call(instance: Instance, name: string, argument: number): Promise<unknown> {
	return await instance.function([name])?.call([argument]);
}

const HELD = { memory: 3 * PAGE, tables: 20, instances: 2 };

suite("limits of what a sandbox holds", () => {
	for (const [name, held] of Object.entries(HELD) as [keyof typeof HELD, number][]) {
		test(`${name}: instantiation above it says so, at it and below it goes on`, async () => {
			await assert.rejects(create({ [name]: held - 1 }), (error: unknown) => {
				assert.ok(error instanceof LimitExceeded);
				assert.deepEqual(
					{ code: error.code, limit: error.limit, allowed: error.allowed },
					{ code: "guest/killed", limit: name, allowed: held - 1 },
				);
				assert.match(error.message, new RegExp(`^killed: ${name} .* \\(limit "${name}" of app shop\\)$`));
				return true;
			});
			await create({ [name]: held });
			await create({ [name]: held + 1 });
		});
	}

	for (const { strategy, slot } of [
		{ strategy: "V8's own memories", slot: {} },
		{ strategy: "reserved memories", slot: { mapper } },
	]) {
		test(`memory.grow, ${strategy}: all memories together, and -1 above`, async () => {
			for (const [room, due] of [
				[4 * PAGE - 1, -1],
				[4 * PAGE, 2],
				[4 * PAGE + 1, 2],
			] as const) {
				const instance = await create({ memory: HELD.memory - 3 * PAGE + room }, slot);
				assert.equal(await call(instance, "grow", 1), due, `${room} bytes`);
				assert.equal(await call(instance, "grow", 0), due === -1 ? 2 : 3);
			}
			const instance = await create({ memory: 8 * PAGE }, slot);
			assert.equal(await call(instance, "grow", 6), -1);
			assert.equal(await call(instance, "grow-b", 3), 1);
			assert.equal(await call(instance, "grow", 3), -1);
			assert.equal(await call(instance, "grow", 2), 2);
			assert.equal(await call(instance, "grow-b", 1), -1);
			assert.equal(await call(instance, "size", 0), 10_004);
		});
	}

	test("table.grow: all tables together, and -1 above", async () => {
		for (const [limit, due] of [
			[24, -1],
			[25, 10],
			[26, 10],
		] as const) {
			const instance = await create({ tables: limit });
			assert.equal(await call(instance, "table", 5), due, `limit ${limit}`);
			assert.equal(await call(instance, "size", 0), (due === -1 ? 10_000 : 15_000) + 2);
		}
		const instance = await create({ tables: 1_000_000 });
		assert.equal(await call(instance, "table", 0xffff_ffff), -1);
		assert.equal(await call(instance, "table", 999_980), 10);
		assert.equal(await call(instance, "table", 1), -1);
	});

	test("table.grow: what the maximum of the table refuses is not held", async () => {
		const bytes = await parse(`(component
			(core module $m (table $t 1 100 funcref) (table $u 1 funcref)
				(func (export "bounded") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))
				(func (export "free") (param i32) (result i32) (table.grow $u (ref.null func) (local.get 0))))
			(core instance $i (instantiate $m))
			${["bounded", "free"].map((name) => `(func (export "${name}") (param "n" u32) (result s32) (canon lift (core func $i "${name}")))`).join("\n")})`);
		const linked = await linkComponent(loadComponent(new Uint8Array(bytes)), { interfaces: [] }, cache);
		const instance = instantiate(linked, undefined, { tables: 502 }, "shop");
		assert.equal(await call(instance, "bounded", 400), -1);
		assert.equal(await call(instance, "bounded", 99), 1);
		assert.equal(await call(instance, "free", 402), -1);
		assert.equal(await call(instance, "free", 401), 1);
		assert.equal(await call(instance, "free", 1), -1);
	});

	test("the embedder is asked before anything grows within the limits, and can refuse", async () => {
		const asked: Growth[] = [];
		const onGrow = (growth: Growth): boolean => {
			asked.push(growth);
			return growth.to < 6 * PAGE;
		};
		const instance = await create({ memory: 7 * PAGE }, { onGrow });
		assert.equal(await call(instance, "grow", 2), 2);
		assert.equal(await call(instance, "grow", 1), -1);
		assert.equal(await call(instance, "grow", 3), -1);
		assert.equal(await call(instance, "grow", 0), 4);
		assert.equal(await call(instance, "table", 7), 10);
		assert.deepEqual(asked, [
			{ what: "memory", from: 3 * PAGE, to: 5 * PAGE },
			{ what: "memory", from: 5 * PAGE, to: 6 * PAGE },
			{ what: "tables", from: 20, to: 27 },
		]);
	});

	test(
		"what a call has taken is its own: after the reset all is there again",
		{ skip: mapper === undefined },
		async () => {
			const instance = await create({ memory: 5 * PAGE }, { mapper });
			instance.attach(instance.takeImage(mapper) as InstanceImage);
			for (let round = 0; round < 3; round++) {
				assert.equal(await call(instance, "grow", 2), 2);
				assert.equal(await call(instance, "grow", 1), -1);
				instance.dispose(new Error("over"));
				assert.ok((instance.reset(undefined) ?? -1) >= 0);
				assert.equal(await call(instance, "size", 0), 10_002);
			}
		},
	);
});

suite("what V8 itself checks, against a size that is not the guest's", { skip: mapper === undefined }, () => {
	const load = async (wat: string): Promise<Linked> =>
		await linkComponent(loadComponent(new Uint8Array(await parse(wat))), { interfaces: [] }, cache);

	for (const { name, modules } of [
		{
			name: "of its own memory",
			modules: `(core module $m (memory 1 8) (data (i32.const 65536) "x")) (core instance (instantiate $m))`,
		},
		{
			name: "of another's memory",
			modules: `(core module $a (memory (export "m") 1 8)) (core module $b (import "a" "m" (memory 1)) (data (i32.const 65536) "x"))
				(core instance $a (instantiate $a)) (core instance (instantiate $b (with "a" (instance $a))))`,
		},
	]) {
		test(`a data segment beyond the end ${name} traps`, async () => {
			const linked = await load(`(component ${modules})`);
			assert.throws(() => instantiate(linked, undefined, {}, undefined, { mapper }), {
				code: "guest/trap",
				message: "out of bounds memory access",
			});
		});
	}

	test("a module that wants a larger memory than another has is refused before it is linked", async () => {
		await assert.rejects(
			load(`(component
				(core module $a (memory (export "m") 1 8))
				(core module $b (import "a" "m" (memory 2)) (func (export "f") (result i32) (i32.load (i32.const 70000))))
				(core instance $a (instantiate $a)) (core instance (instantiate $b (with "a" (instance $a)))))`),
			/memory|limits|mismatch/i,
		);
	});
});

suite("a mapper that fails", { skip: mapper === undefined }, () => {
	const real = mapper as PageMapper;
	const working = {
		pageSize: real.pageSize,
		method: real.method,
		createImage: real.createImage.bind(real),
		protect: real.protect.bind(real),
		unprotect: real.unprotect.bind(real),
	};
	const refuse = (): never => {
		throw new Error("refused");
	};
	for (const { name, failing, shrinks } of [
		{ name: "memfd_create refused", failing: { ...working, createImage: refuse }, shrinks: true },
		{
			name: "mmap refused",
			failing: { ...working, createImage: () => ({ map: refuse, [Symbol.dispose]() {} }) },
			shrinks: true,
		},
		{ name: "mprotect refused", failing: { ...working, protect: () => false }, shrinks: false },
	]) {
		test(`${name}: calls go on, and every one finds the state as it was`, async () => {
			const instance = await create({}, { mapper: failing });
			instance.attach(instance.takeImage(failing) as InstanceImage);
			for (let round = 0; round < 3; round++) {
				assert.equal(await call(instance, "size", 0), 10_002);
				instance.dispose(new Error("over"));
				assert.ok((instance.reset(undefined) ?? -1) >= 0);
			}
			assert.equal(await call(instance, "grow", 1), 2);
			instance.dispose(new Error("over"));
			assert.equal(instance.reset(undefined) !== undefined, shrinks);
		});
	}
});
