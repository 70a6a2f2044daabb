import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, afterEach, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { LimitExceeded, Trap } from "../../fault/mod.ts";
import {
	ATTENTIVE_WORD,
	BUDGET_WORD,
	CALL_WORD,
	DOWN,
	ENTRY_WORD,
	GUARD_WORD,
	interruptFlag,
	NUMBER_SHIFT,
	PAGED_WORD,
	PENDING,
	SEEN_WORD,
	UNTIL_WORD,
	UP,
	WANTED_WORD,
	watchdogReady,
} from "./flag.ts";
import { type FfiProcess, openLibC, PROT_NONE, PROT_READ, withFfi } from "../libc.ts";
import { createSafepoint, type Safepoint } from "./safepoint.ts";
import { startGuest, type StressCounts, type StressGuest, stress } from "./safepoint.fixture.ts";
import { watchThread } from "./watchdog.ts";

const flag = interruptFlag();
const skip = flag.check === "page" ? false : "checks look at the flag here: no node:ffi, not Linux, or no trap handler";
const { words } = flag;
const FIXTURE = fileURLToPath(new URL("safepoint.fixture.ts", import.meta.url));

/** Of this thread's page. */
function setPage(protection: number): void {
	withFfi(process as unknown as FfiProcess, (ffi) => {
		if (ffi === undefined) return assert.fail("node:ffi is missing");
		const libc = openLibC(ffi);
		const at = ffi.getRawPointer(flag.memory.buffer) + 65_536n;
		assert.equal(libc.mprotect(at, BigInt(libc.getpagesize()), protection), 0);
	});
}

/** As the watchdog leaves it. */
function raise(): void {
	setPage(PROT_NONE);
	words[GUARD_WORD] = UP;
	if (words[ATTENTIVE_WORD] !== 0) words[ATTENTIVE_WORD] = (words[ATTENTIVE_WORD] ?? 0) + 1000;
}

function outcome(run: () => unknown): unknown {
	try {
		return run();
	} catch (error) {
		return error;
	}
}

function isStopped(found: unknown): void {
	assert.ok(found instanceof LimitExceeded, String(found));
	assert.match(found.message, /^killed: cpu/);
}

/** Until its calls are not clocked any more. */
function earnTrust({ run }: StressGuest): void {
	for (const deadline = performance.now() + 20_000; performance.now() < deadline;) {
		const before = words[CALL_WORD];
		run("spin", 1);
		if (words[CALL_WORD] !== before) return;
	}
	assert.fail("short calls are clocked still");
}

suite("a page that is protected", { skip }, () => {
	afterEach(() => assert.deepEqual([words[GUARD_WORD], words[UNTIL_WORD]], [DOWN, 0]));

	for (const [name, turns] of [
		["spin", 0],
		["catch", 0],
	] as const) {
		test(`${name}: a guest is stopped by its limit, and others are not, on the thread's stack and on its own`, async () => {
			const [guest, innocent] = await Promise.all([{ cpu: 5 }, {}].map(startGuest));
			assert.ok(guest !== undefined && innocent !== undefined);
			for (let i = 0; i < 5; i++) {
				isStopped(outcome(() => guest.run(name, turns)));
				assert.equal(innocent.run("spin", 5), 7);
				const blocking = Promise.resolve(guest.runBlocking(name, turns));
				assert.equal(innocent.run("spin", 5), 7);
				await assert.rejects(blocking, (error) => (isStopped(error), true));
			}
		});
	}

	test("a guest that the host lets in finds it readable: it was meant for another", async () => {
		const { run } = await startGuest({});
		for (let i = 0; i < 3; i++) {
			raise();
			assert.equal(run("spin", 5), 7);
			assert.equal(words[GUARD_WORD], DOWN);
		}
	});

	test("the same in calls that nobody clocks", async () => {
		const guest = await startGuest({});
		for (let i = 0; i < 3; i++) {
			earnTrust(guest);
			raise();
			assert.equal(guest.run("spin", 5), 7);
		}
	});

	test("where it comes with the guest's last instruction, it is lowered as the guest leaves", async () => {
		const guest = await startGuest({});
		guest.act = () => (raise(), 7);
		assert.equal(guest.run("act", 0), 7);
		setPage(PROT_READ);
	});

	for (const [what, state] of [
		["is about to be", UP],
		["was about to be, for one that has ended", DOWN],
	] as const) {
		test(`whoever comes while it ${what} waits for that`, async () => {
			const { run } = await startGuest({});
			words[GUARD_WORD] = PENDING;
			const code = `const { workerData: [words, guard, state] } = require("node:worker_threads");
				Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
				Atomics.store(words, guard, state); Atomics.notify(words, guard);`;
			if (state === UP) setPage(PROT_NONE);
			const worker = new Worker(code, { eval: true, workerData: [words, GUARD_WORD, state] });
			const ended = new Promise((resolve) => worker.once("exit", resolve));
			assert.equal(run("spin", 5), 7);
			assert.equal(words[GUARD_WORD], DOWN);
			await ended;
		});
	}

	test("is told by the place of the trap, whatever else is known", async () => {
		const { run } = await startGuest({ cpu: 60_000 });
		setPage(PROT_NONE);
		const found = outcome(() => run("spin", 5));
		setPage(PROT_READ);
		isStopped(found);
	});

	test("the guest's own trap is its own, even while the page is protected", async () => {
		const guest = await startGuest({ cpu: 10 });
		guest.act = () => {
			while (Atomics.load(words, GUARD_WORD) !== UP);
			return 0;
		};
		const trap = outcome(() => guest.run("act-and-read", 0));
		assert.ok(trap instanceof Trap, String(trap));
		assert.equal(trap.message, "out of bounds memory access");
		assert.deepEqual([trap.frames.length, trap.frames[0]?.name], [1, "act-and-read"]);
		isStopped(outcome(() => guest.run("call", 0)));
	});

	test("where no place is told, a trap is the page's doing as long as it is protected", async () => {
		const guest = await startGuest({ cpu: 10 });
		const { stackTraceLimit } = Error;
		Error.stackTraceLimit = 0;
		try {
			isStopped(outcome(() => guest.run("spin", 0)));
			const trap = outcome(() => guest.run("read", 5));
			assert.ok(trap instanceof Trap, String(trap));
			await assert.rejects(Promise.resolve(guest.runBlocking("spin", 0)), (error) => (isStopped(error), true));
		} finally {
			Error.stackTraceLimit = stackTraceLimit;
		}
	});

	test("a guest that is to end where the host says so ends at its next check", async () => {
		const guest = await startGuest({ cpu: 60_000 });
		guest.act = () => (flag.raise(), 0);
		isStopped(outcome(() => guest.run("call", 1)));
	});
});

suite("the watchdog", { skip }, () => {
	/** A thread of the test's own making, with nothing on it: its words are written by hand. */
	const safepoint = createSafepoint() as Safepoint;
	const own = new Int32Array(safepoint?.memory.buffer ?? new ArrayBuffer(256));
	let number = 1;
	let watching: ReturnType<typeof watchThread>;

	const watch = async (): Promise<void> => {
		await watchdogReady();
		watching ??= watchThread(own.buffer as SharedArrayBuffer, safepoint.page);
	};
	/** A stretch that is over in a millisecond. */
	const enter = (paged: number): void => {
		Atomics.store(own, PAGED_WORD, paged);
		Atomics.store(own, UNTIL_WORD, Math.floor(performance.now() * 10 + 10) | 0 || 1);
		Atomics.store(own, ENTRY_WORD, ++number << NUMBER_SHIFT);
		watching.wake();
	};
	const leave = (): void => {
		Atomics.store(own, UNTIL_WORD, 0);
		Atomics.store(own, CALL_WORD, 0);
		while (Atomics.load(own, GUARD_WORD) === PENDING);
		if (Atomics.exchange(own, GUARD_WORD, DOWN) === UP) safepoint.unprotect();
	};
	/** Waits in a loop, so as to see each change at once. */
	const until = (what: string, isThere: () => boolean): void => {
		for (const deadline = performance.now() + 10_000; !isThere();)
			if (performance.now() > deadline) assert.fail(`${what} does not come`);
	};
	after(() => leave());

	test("protects the page of a stretch that is over, and has calls that nobody clocks looked at anew", async () => {
		await watch();
		for (const attentive of [0, 5]) {
			Atomics.store(own, ATTENTIVE_WORD, attentive);
			enter(1);
			until("the page", () => Atomics.load(own, GUARD_WORD) === UP);
			assert.equal(Atomics.load(own, ATTENTIVE_WORD) === attentive, attentive === 0);
			assert.equal((own[ENTRY_WORD] ?? 0) & 0xff, 1, "the flag is up as well");
			leave();
			Atomics.store(own, ATTENTIVE_WORD, 0);
		}
	});

	test("leaves it alone for a stretch whose guest does not read from it", async () => {
		await watch();
		enter(0);
		until("the flag", () => ((own[ENTRY_WORD] ?? 0) & 0xff) === 1);
		// It has looked again by then
		await new Promise((resolve) => setTimeout(resolve, 20));
		assert.equal(own[GUARD_WORD], DOWN);
		leave();
	});

	/**
	 * Ends a stretch as soon as the watchdog is at it, again and again, and says how often that was before it had come to its decision,
	 * more or less; and how often that was to leave the page alone.
	 */
	const endInTime = (begin: () => void, end: () => void): { readonly inTime: number; readonly spared: number } => {
		let inTime = 0;
		let spared = 0;
		for (let i = 0; i < 300 && inTime < 20; i++) {
			begin();
			until("the watchdog", () => Atomics.load(own, GUARD_WORD) !== DOWN);
			end();
			if (Atomics.load(own, GUARD_WORD) === PENDING) inTime++;
			until("its decision", () => Atomics.load(own, GUARD_WORD) !== PENDING);
			if (own[GUARD_WORD] === DOWN) spared++;
			leave();
		}
		return { inTime, spared };
	};
	const brief = (): void => {
		number++;
		// As it has been asked for, and with a limit of 0.5 ms
		Atomics.store(own, WANTED_WORD, 1);
		watching.wake();
		until("its attention", () => Atomics.load(own, ATTENTIVE_WORD) !== 0);
		Atomics.store(own, BUDGET_WORD, 5 << 2);
		Atomics.store(own, ENTRY_WORD, number << NUMBER_SHIFT);
		Atomics.store(own, CALL_WORD, number);
	};
	for (const [what, begin, end] of [
		["a stretch that ends", () => enter(1), () => Atomics.store(own, UNTIL_WORD, 0)],
		["one that gives way to another", () => enter(1), () => Atomics.store(own, ENTRY_WORD, ++number << NUMBER_SHIFT)],
		["a call that nobody clocks", brief, () => Atomics.store(own, CALL_WORD, -number)],
	] as const) {
		test(`leaves it alone in the last moment, for ${what}`, async (t) => {
			await watch();
			const { inTime, spared } = endInTime(begin, end);
			if (inTime < 10) t.skip("it takes the processor that this thread is on: it is never seen at work");
			else assert.ok(spared > 0, `${spared} of ${inTime}`);
		});
	}

	test("has calls looked at anew before it protects their page", async () => {
		await watch();
		brief();
		const attentive = Atomics.load(own, ATTENTIVE_WORD);
		until("the page", () => Atomics.load(own, GUARD_WORD) === UP);
		assert.equal(own[SEEN_WORD], number);
		assert.notEqual(own[ATTENTIVE_WORD], attentive);
		leave();
	});
});

function check(counts: StressCounts): void {
	assert.ok(counts.stopped > 20 && counts.returned > 5 && counts.trapped > 0, JSON.stringify(counts));
	assert.ok(counts.unclocked > counts.innocent / 4, JSON.stringify(counts));
}

test("thousands of guests that end when their time does: no other is hit, and none escapes", async () => {
	check(await stress(150));
});

test("the same on two threads more, at a time", async () => {
	const workers = [0, 1].map(async () => {
		const worker = new Worker(FIXTURE, { workerData: 60 });
		return await new Promise<StressCounts>((resolve, reject) => {
			worker.once("message", resolve);
			worker.once("error", reject);
		});
	});
	for (const counts of await Promise.all(workers)) check(counts);
});

for (const flags of [["--disable-wasm-trap-handler"], ["--no-experimental-ffi"]]) {
	test(`without what it takes, guests look at the flag, and are stopped as well: ${flags.join(" ")}`, () => {
		const code = `import { interruptFlag } from ${JSON.stringify(new URL("flag.ts", import.meta.url))};
			import { stress } from ${JSON.stringify(new URL("safepoint.fixture.ts", import.meta.url))};
			console.log(JSON.stringify({ check: interruptFlag().check, ...await stress(40) }));`;
		const args = [...flags, "--input-type=module", "-e", code];
		const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
		assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
		const { check: kind, ...counts } = JSON.parse(stdout) as StressCounts & { check: string };
		assert.equal(kind, "flag");
		check(counts);
	});
}
