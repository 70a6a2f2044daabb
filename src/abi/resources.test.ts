import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceType } from "../component/mod.ts";
import { SkerryError } from "../fault/mod.ts";
import { createGuest, func, type Guest, lowerSync, t } from "./guest.fixture.ts";
import { CallScope, HandleTable, MAX_HANDLES, ResourceHandle } from "./handles.ts";
import {
	canonLift,
	canonResourceDrop,
	canonResourceNew,
	canonResourceRep,
	type CoreValue,
	GuestResource,
	hostFunction,
	Store,
} from "./mod.ts";

interface World {
	readonly store: Store;
	/** Defines `R`. */
	readonly maker: Guest;
	readonly user: Guest;
	readonly R: ResourceType;
	readonly dropped: unknown[];
}

/** Two sibling instances, one of which defines a resource whose destructor logs. */
async function createWorld(destructor?: (rep: unknown) => unknown): Promise<World> {
	const store = new Store(undefined);
	const maker = await createGuest("", {}, store);
	const user = await createGuest("", {}, store);
	const R: ResourceType = { name: "test:pkg/things#r" };
	const dropped: unknown[] = [];
	store.resources.set(R, {
		instance: maker.instance,
		destructor: destructor ?? ((rep) => void dropped.push(rep)),
	});
	return { store, maker, user, R, dropped };
}

const own = (resource: ResourceType): { kind: "own"; resource: ResourceType } => ({ kind: "own", resource });
const borrow = (resource: ResourceType): { kind: "borrow"; resource: ResourceType } => ({ kind: "borrow", resource });

test("rule 4: indices start at 1, and freed ones are reused last-in first-out", async () => {
	const { maker, R, store, dropped } = await createWorld();
	const create = canonResourceNew(maker.instance, R);
	const drop = canonResourceDrop(maker.instance, R);
	const rep = canonResourceRep(maker.instance, R);
	assert.deepEqual([create(100), create(200), create(300)], [1, 2, 3]);
	assert.equal(drop(2), undefined);
	assert.equal(create(400), 2);
	assert.deepEqual([rep(1), rep(2), rep(3)], [100, 400, 300]);
	for (const index of [1, 2, 3]) assert.equal(drop(index), undefined);
	assert.deepEqual([create(500), create(600), create(700), create(800)], [3, 2, 1, 4]);
	assert.equal(store.handles, 4);
	assert.deepEqual(dropped, [200, 100, 400, 300]);
});

test("rule 4: a full table traps, and takes handles again once one was removed", () => {
	const count = { handles: 0 };
	const table = new HandleTable(count, 3);
	const handle = new ResourceHandle({ name: "" }, 0, null);
	assert.deepEqual([table.add(handle), table.add(handle), table.add(handle)], [1, 2, 3]);
	assert.throws(() => table.add(handle), { name: "Trap", message: `handle table is full (limit "handles": 3)` });
	table.remove(2);
	assert.equal(table.add(handle), 2);
	assert.equal(count.handles, 3);
	assert.equal(MAX_HANDLES, 2 ** 28 - 1);
});

test("unknown handles trap with their index, unsigned", async () => {
	const { maker, R } = await createWorld();
	const drop = canonResourceDrop(maker.instance, R);
	const rep = canonResourceRep(maker.instance, R);
	for (const [index, name] of [
		[0, "0"],
		[5, "5"],
		[-1, "4294967295"],
	] as const) {
		assert.throws(() => drop(index), { name: "Trap", message: `unknown handle index ${name}` });
		assert.throws(() => rep(index), { name: "Trap", message: `unknown handle index ${name}` });
	}
});

test("a handle of another type traps, whether guests or the host defined it", async () => {
	const { maker, store, R } = await createWorld();
	const S: ResourceType = { name: "s" };
	const H: ResourceType = { name: "h" };
	store.resources.set(S, { instance: maker.instance, destructor: null });
	store.resources.set(H, { instance: null, destructor: null });
	const index = canonResourceNew(maker.instance, R)(7);
	assert.throws(() => canonResourceDrop(maker.instance, S)(index), {
		message:
			"handle index 1 used with the wrong type, expected guest-defined resource but found a different guest-defined resource",
	});
	assert.throws(() => canonResourceDrop(maker.instance, H)(index), {
		message:
			"handle index 1 used with the wrong type, expected host-defined resource but found a different guest-defined resource",
	});
	const alias: ResourceType = { name: "r as imported" };
	store.resources.set(alias, store.implementation(R));
	assert.equal(canonResourceRep(maker.instance, alias)(index), 7, "the same resource under another type object");
});

test("rule 12: a borrow lowered into the instance that defines the resource is the raw rep, elsewhere a handle", async () => {
	const { store, maker, user, R } = await createWorld();
	const type = func([borrow(R)]);
	const seen: CoreValue[] = [];
	const intoMaker = canonLift(type, (rep) => void seen.push(rep), maker.options(), maker.instance);
	const resource = new GuestResource(R, 42, false, store.epoch);
	intoMaker.call([resource]);
	assert.deepEqual(seen, [42]);
	const drop = canonResourceDrop(user.instance, R);
	const core = (index?: CoreValue): undefined => {
		seen.push(Number(index));
		assert.equal(store.handles, 1);
		assert.equal(drop(Number(index)), undefined);
	};
	canonLift(type, core, user.options(), user.instance).call([resource]);
	assert.deepEqual(seen, [42, 1]);
	assert.deepEqual({ handles: store.handles, spent: GuestResource.isSpent(resource) }, { handles: 0, spent: false });
});

test("a borrow that is not dropped before its call returns traps, and poisons", async () => {
	const { store, user, R } = await createWorld();
	const lifted = canonLift(func([borrow(R)]), () => undefined, user.options(), user.instance);
	const message = "borrow handles still remain at the end of the call";
	assert.throws(() => lifted.call([new GuestResource(R, 1, false, store.epoch)]), { name: "Trap", message });
	assert.equal(store.poison?.message, message);
});

test("rule 13: what is lent can be neither dropped nor moved until the call returns", async () => {
	const { store, maker, user, R, dropped } = await createWorld();
	// The maker's function takes a borrow and an own: given the same handle, lifting the own traps.
	const both = func([borrow(R), own(R)]);
	const lifted = canonLift(both, () => assert.fail("entered"), maker.options(), maker.instance);
	const mine = new GuestResource(R, 9, false, store.epoch);
	const take = canonLift(
		func([own(R)]),
		(index) => {
			lowerSync(both, lifted, user.options(), user.instance)(index, index);
		},
		user.options(),
		user.instance,
	);
	assert.throws(() => take.call([mine]), { name: "Trap", message: "cannot remove owned resource while borrowed" });
	assert.deepEqual(dropped, []);
	assert.ok(store.poison);

	// While a host function holds the borrow, dropping the lender traps; afterwards it works.
	const other = await createWorld();
	const index = canonResourceNew(other.maker.instance, other.R)(3);
	const drop = canonResourceDrop(other.maker.instance, other.R);
	let held: GuestResource | undefined;
	const peek = hostFunction(func([borrow(other.R)]), (resource) => {
		held = resource as GuestResource;
		assert.deepEqual(
			{ rep: GuestResource.repOf(held), borrowed: GuestResource.isBorrowed(held), spent: GuestResource.isSpent(held) },
			{ rep: 3, borrowed: true, spent: false },
		);
		assert.throws(() => drop(index), { message: "cannot remove owned resource while borrowed" });
	});
	lowerSync(peek.type, peek, other.maker.options(), other.maker.instance)(index);
	assert.ok(held !== undefined && GuestResource.isSpent(held), "a borrow ends with its call");
	assert.equal(drop(index), undefined);
	assert.deepEqual(other.dropped, [3]);
});

test("a borrow handle may be lent on, but not given as own", async () => {
	const { store, maker, user, R } = await createWorld();
	const third = await createGuest("", {}, store);
	const type = func([borrow(R)]);
	const seen: CoreValue[] = [];
	const rep = canonLift(type, (value) => void seen.push(value), maker.options(), maker.instance);
	const core = (index?: CoreValue): undefined => {
		lowerSync(type, rep, third.options(), third.instance)(index!);
		assert.equal(canonResourceDrop(third.instance, R)(Number(index)), undefined);
	};
	const lend = canonLift(type, core, third.options(), third.instance);
	lend.call([new GuestResource(R, 77, false, store.epoch)]);
	assert.deepEqual(seen, [77]);
	const moves = canonLift(
		type,
		(index) => {
			const sink = hostFunction(func([own(R)]), () => assert.fail("given"));
			lowerSync(sink.type, sink, user.options(), user.instance)(index);
		},
		user.options(),
		user.instance,
	);
	assert.throws(() => moves.call([new GuestResource(R, 1, false, store.epoch)]), {
		message: "cannot lift own resource from a borrow",
	});
});

test("own moves from guest to guest and to the host, and back", async () => {
	const { store, maker, user, R, dropped } = await createWorld();
	const make = canonLift(
		func([], own(R)),
		() => canonResourceNew(maker.instance, R)(5),
		maker.options(),
		maker.instance,
	);
	const resource = make.call([]) as GuestResource;
	assert.ok(resource instanceof GuestResource);
	assert.equal(GuestResource.typeOf(resource), R);
	assert.equal(GuestResource.repOf(resource), 5);
	assert.deepEqual([GuestResource.isBorrowed(resource), GuestResource.isSpent(resource)], [false, false]);
	assert.equal(store.handles, 0, "the handle left the maker's table");
	let index: CoreValue | undefined;
	const keep = canonLift(func([own(R)]), (i) => void (index = i), user.options(), user.instance);
	keep.call([resource]);
	assert.deepEqual(
		{ spent: GuestResource.isSpent(resource), index, handles: store.handles },
		{ spent: true, index: 1, handles: 1 },
	);
	assert.throws(
		() => keep.call([resource]),
		(error) => error instanceof SkerryError && error.code === "call/bad-value",
	);
	assert.equal(canonResourceDrop(user.instance, R)(1), undefined);
	assert.deepEqual({ dropped, handles: store.handles }, { dropped: [5], handles: 0 });
	const made = lowerSync(make.type, make, user.options(), user.instance)();
	assert.deepEqual({ made, handles: store.handles }, { made: 1, handles: 1 });
});

test("one resource given twice in a call is the host's mistake, not the guest's", async () => {
	const { store, user, R } = await createWorld();
	const twice = canonLift(func([own(R), own(R)]), () => assert.fail("entered"), user.options(), user.instance);
	const resource = new GuestResource(R, 5, false, store.epoch);
	assert.throws(
		() => twice.call([resource, resource]),
		(error) => error instanceof SkerryError && error.code === "call/bad-value",
	);
	const { entered, mayLeave } = user.instance;
	assert.deepEqual({ poison: store.poison, entered, mayLeave }, { poison: undefined, entered: false, mayLeave: true });
});

test("rule 13: dropping another instance's resource is a full call into it", async () => {
	const states: boolean[] = [];
	const { store, maker, user, R } = await createWorld(() => void states.push(maker.instance.entered));
	const seen = { maker, user };
	canonLift(
		func([own(R)]),
		(index) => {
			assert.equal(canonResourceDrop(seen.user.instance, R)(Number(index)), undefined);
		},
		user.options(),
		user.instance,
	).call([new GuestResource(R, 1, false, store.epoch)]);
	assert.deepEqual({ states, after: maker.instance.entered }, { states: [true], after: false });
	// Within the defining instance it is a plain call.
	assert.equal(canonResourceDrop(maker.instance, R)(canonResourceNew(maker.instance, R)(1)), undefined);
	assert.deepEqual(states, [true, false]);
	// The maker calls the user, who drops: that would enter the maker again, even were there no destructor.
	store.resources.set(R, { instance: maker.instance, destructor: null });
	const drop = canonLift(
		func([own(R)]),
		(index) => void canonResourceDrop(user.instance, R)(Number(index)),
		user.options(),
		user.instance,
	);
	const outer = canonLift(
		func([]),
		() => {
			const index = canonResourceNew(maker.instance, R)(1);
			lowerSync(drop.type, drop, maker.options(), maker.instance)(index);
			return undefined;
		},
		maker.options(),
		maker.instance,
	);
	assert.throws(() => outer.call([]), { name: "Trap", message: "cannot enter component instance" });
});

test("a destructor may wait, and its instance stays entered meanwhile", async () => {
	let finish = (): void => undefined;
	const waits = new Promise<void>((resolve) => (finish = resolve));
	const { store, maker, R } = await createWorld(() => waits);
	const resource = new GuestResource(R, 1, false, store.epoch);
	const dropping = store.drop(resource);
	assert.ok(dropping instanceof Promise);
	assert.equal(maker.instance.entered, true);
	finish();
	await dropping;
	assert.deepEqual(
		{ entered: maker.instance.entered, spent: GuestResource.isSpent(resource) },
		{ entered: false, spent: true },
	);
	assert.throws(() => store.drop(resource), { code: "call/bad-value" });
	assert.throws(() => store.drop(new GuestResource(R, 1, true, store.epoch)), { code: "call/bad-value" });
});

test("a destructor that fails poisons; a resource whose instance is busy stays as it was", async () => {
	const oops = new Error("oops");
	const { store, maker, R } = await createWorld(() => {
		throw oops;
	});
	const resource = new GuestResource(R, 1, false, store.epoch);
	maker.instance.entered = true;
	assert.throws(() => store.drop(resource), { message: "cannot enter component instance" });
	assert.deepEqual(
		{ spent: GuestResource.isSpent(resource), poison: store.poison },
		{ spent: false, poison: undefined },
	);
	maker.instance.entered = false;
	assert.throws(
		() => store.drop(resource),
		(error) => error === oops,
	);
	assert.equal(store.poison, oops);
	assert.throws(() => new Store(undefined).drop(new GuestResource(R, 1, false, store.epoch)), {
		code: "call/bad-value",
	});
});

test("a host's resource is its representation, and dropping its last handle runs the destructor", async () => {
	const { store, user } = await createWorld();
	const H: ResourceType = { name: "h" };
	const dropped: unknown[] = [];
	store.resources.set(H, { instance: null, destructor: (rep) => void dropped.push(rep) });
	const socket = { open: true };
	const open = hostFunction(func([], own(H)), () => socket);
	const index = lowerSync(open.type, open, user.options(), user.instance)();
	assert.deepEqual({ index, handles: store.handles }, { index: 1, handles: 1 });
	const seen: unknown[] = [];
	const look = hostFunction(func([borrow(H)]), (rep) => void seen.push(rep));
	lowerSync(look.type, look, user.options(), user.instance)(1);
	assert.equal(seen[0], socket);
	const take = hostFunction(func([own(H)]), (rep) => void seen.push(rep));
	lowerSync(take.type, take, user.options(), user.instance)(1);
	assert.equal(seen[1], socket);
	assert.deepEqual({ dropped, handles: store.handles }, { dropped: [], handles: 0 });
	assert.equal(lowerSync(open.type, open, user.options(), user.instance)(), 1);
	assert.equal(canonResourceDrop(user.instance, H)(1), undefined);
	assert.deepEqual({ dropped, handles: store.handles }, { dropped: [socket], handles: 0 });
});

test("rule 6: resource.new and resource.drop trap while the instance may not leave; resource.rep does not", async () => {
	const { maker, R } = await createWorld();
	const index = canonResourceNew(maker.instance, R)(6);
	maker.instance.mayLeave = false;
	const expected = { name: "Trap", message: "cannot leave component instance" };
	assert.throws(() => canonResourceNew(maker.instance, R)(1), expected);
	assert.throws(() => canonResourceDrop(maker.instance, R)(index), expected);
	assert.equal(canonResourceRep(maker.instance, R)(index), 6);
});

test("dispose drops what is left: hosts' owned resources only, each once, even when one fails", async () => {
	const { store, maker, user, R, dropped } = await createWorld();
	const H: ResourceType = { name: "h" };
	const closed: unknown[] = [];
	store.resources.set(H, {
		instance: null,
		destructor: (rep) => {
			closed.push(rep);
			if (rep === "second") throw new Error("close failed");
		},
	});
	for (const rep of ["first", "second", "third"]) user.instance.handles.add(new ResourceHandle(H, rep, null));
	user.instance.handles.add(new ResourceHandle(H, "lent", new CallScope()));
	canonResourceNew(maker.instance, R)(1);
	assert.equal(store.handles, 5);
	assert.throws(() => store.dispose(), { message: "close failed" });
	assert.deepEqual(
		{ closed, dropped, handles: store.handles },
		{ closed: ["first", "second", "third"], dropped: [], handles: 0 },
	);
	store.dispose();
	assert.equal(closed.length, 3);
	const lifted = canonLift(func([t("u8")]), () => assert.fail("entered"), user.options(), user.instance);
	assert.throws(() => lifted.call([1]), { message: "cannot enter component instance" });
	assert.equal(store.poison, undefined, "a sandbox that ended well is not poisoned");
});

test("a host's resource that finds the table full is given back to the host", async () => {
	const store = new Store(undefined, { handles: 1 });
	const guest = await createGuest("", {}, store);
	const dropped: unknown[] = [];
	const thing = { name: "thing" };
	store.resources.set(thing, { instance: null, destructor: (rep) => void dropped.push(rep) });
	const made = ["first", "second"];
	const gives = func([], { kind: "own", resource: thing });
	const make = lowerSync(
		gives,
		hostFunction(gives, () => made.shift()),
		guest.options(),
		guest.instance,
	);
	assert.equal(make(), 1);
	assert.throws(() => make(), /handle table is full/);
	assert.deepEqual(dropped, ["second"]);
	store.dispose();
	assert.deepEqual(dropped, ["second", "first"]);
});
