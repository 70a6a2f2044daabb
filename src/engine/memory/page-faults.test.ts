import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Ffi, type FfiProcess, type LibC, openLibC, withFfi } from "../libc.ts";
import { type FaultMethod, type PageFaults, watchFaults } from "./page-faults.ts";
import { webAssembly } from "../v8/v8.ts";

const PAGE = 4096;

/** Why not, as text, where the system refuses. */
function open(method: FaultMethod): { faults: PageFaults; ffi: Ffi } | string {
	return withFfi(process as unknown as FfiProcess, (ffi) => {
		if (ffi === undefined || process.platform !== "linux") return "no libc here";
		try {
			return { faults: watchFaults(method, ffi, openLibC(ffi), process.arch), ffi };
		} catch (error) {
			return (error as Error).message;
		}
	});
}

/** Pages that nobody has touched, and where they are. */
function createPages(ffi: Ffi, pages: number): { bytes: Uint8Array; base: number } {
	const { buffer } = new (webAssembly().Memory)({ initial: Math.ceil((pages * PAGE) / 65_536) });
	return { bytes: new Uint8Array(buffer), base: Number(ffi.getRawPointer(buffer)) };
}

for (const method of ["listed", "counted"] as const) {
	const opened = open(method);
	suite(`page faults that are ${method}`, { skip: typeof opened === "string" ? opened : false }, () => {
		const { faults, ffi } = opened as Exclude<typeof opened, string>;

		test("each first write is one, the next write to the page is none", () => {
			const { base, bytes } = createPages(ffi, 64);
			for (let page = 0; page < 64; page++) {
				const since = faults.mark();
				bytes[page * PAGE + 77] = 1;
				const until = faults.mark();
				assert.equal(faults.isFree(since, until, base, base + bytes.length), false, `page ${page}`);
				bytes[page * PAGE + 78] = 1;
				// Others than this page's may be V8's own.
				if (method === "listed") assert.ok(faults.isFree(until, faults.mark(), base, base + bytes.length));
			}
		});

		test("without a fault all is free", () => {
			const { base, bytes } = createPages(ffi, 1);
			bytes[0] = 1;
			const mark = faults.mark();
			assert.ok(faults.isFree(mark, mark, base, base + bytes.length));
		});

		test("more faults than are kept are never overlooked", () => {
			const { base, bytes } = createPages(ffi, 5000);
			const since = faults.mark();
			for (let page = 0; page < 5000; page++) bytes[page * PAGE] = 1;
			const until = faults.mark();
			assert.equal(faults.isFree(since, until, base, base + PAGE), false);
			// A little later it is known again what was since.
			bytes[5001 * PAGE] = 1;
			assert.equal(faults.isFree(until, faults.mark(), base + 5001 * PAGE, base + 5002 * PAGE), false);
		});

		if (method === "listed") {
			test("faults elsewhere leave pages free, at both ends to the byte", () => {
				const { base, bytes } = createPages(ffi, 16);
				const since = faults.mark();
				bytes[7 * PAGE + 5] = 1;
				const until = faults.mark();
				const at = base + 7 * PAGE + 5;
				assert.deepEqual(
					[
						[at - PAGE, at],
						[at, at + 1],
						[at + 1, at + PAGE],
					].map(([from, to]) => faults.isFree(since, until, from as number, to as number)),
					[true, false, true],
				);
			});

			test("round the end of the list, and again", () => {
				const { base, bytes } = createPages(ffi, 4000);
				for (let page = 0; page < 4000; page += 2) {
					const since = faults.mark();
					bytes[page * PAGE] = 1;
					const until = faults.mark();
					assert.equal(faults.isFree(since, until, base + page * PAGE, base + (page + 1) * PAGE), false);
					assert.ok(faults.isFree(since, until, base + (page + 1) * PAGE, base + (page + 2) * PAGE));
				}
			});
		}
	});
}

/** A list as the kernel would write it, in so many pages; the calls that it takes to open one. */
function pretendKernel(pages: number) {
	const words = new Uint32Array((PAGE * (1 + pages)) / 4);
	const [headAt, offsetAt, sizeAt] = [256, 260, 262];
	words[offsetAt] = PAGE;
	words[sizeAt] = PAGE * pages;
	const closed: number[] = [];
	const ffi = { getRawPointer: () => 1n, toArrayBuffer: () => words.buffer };
	const libc = {
		syscall: () => 7n,
		getpagesize: () => PAGE,
		mmap: () => 4096n,
		close: (fd: number) => closed.push(fd),
		// Refused: the file keeps its number.
		dup3: () => -1,
	};
	const write = (kind: number, record: readonly number[]): void => {
		const size = (record.length + 2) * 4;
		for (const word of [kind, size << 16, ...record]) {
			words[PAGE / 4 + (((words[headAt] as number) % (PAGE * pages)) >>> 2)] = word;
			words[headAt] = (words[headAt] as number) + 4;
		}
	};
	return {
		faults: watchFaults("listed", ffi as unknown as Ffi, libc as unknown as LibC, "x64"),
		closed,
		fault: (address: number) => write(9, [address, 0]),
		throttle: () => write(5, [1, 0, 1, 0, 1, 0]),
		unthrottle: () => write(6, [1, 0, 1, 0, 1, 0]),
	};
}

suite("a list in which faults may be missing", () => {
	type Kernel = ReturnType<typeof pretendKernel>;
	/** Whether it is known at the end what follows, and what there was meanwhile. */
	const cases: readonly [name: string, write: (kernel: Kernel) => void, next: boolean, before: boolean][] = [
		["none", () => {}, true, true],
		["a fault", ({ fault }) => fault(0x5000), true, true],
		["throttled", ({ throttle }) => throttle(), false, false],
		[
			"throttled, and the fault with which it was",
			({ fault, throttle }) => {
				throttle();
				fault(0x5000);
			},
			false,
			false,
		],
		["no longer throttled, and nothing since", ({ unthrottle }) => unthrottle(), false, false],
		[
			"no longer throttled, and a fault",
			({ fault, throttle, unthrottle }) => {
				throttle();
				fault(0x5000);
				unthrottle();
				fault(0x5000);
			},
			true,
			false,
		],
	];
	// One page of 256 faults: records lie across its end, too.
	for (const before of [0, 3, 251, 252, 253, 254, 255, 256, 600])
		for (const [name, write, known, knownBefore] of cases)
			test(`${name}, after ${before}`, () => {
				const kernel = pretendKernel(1);
				for (let i = 0; i < before; i++) kernel.fault(0x5000);
				const since = kernel.faults.mark();
				write(kernel);
				// Whoever asks again is told the same: nothing was written meanwhile.
				for (let i = 0; i < 3; i++) {
					const until = kernel.faults.mark();
					assert.equal(!Number.isNaN(until), known);
					assert.equal(kernel.faults.isFree(until, kernel.faults.mark(), 0, 2 ** 47), known);
				}
				const until = kernel.faults.mark();
				assert.equal(kernel.faults.isFree(since, until, 0x9000, 0xa000), knownBefore);
				kernel.faults[Symbol.dispose]();
				assert.deepEqual(kernel.closed, [7]);
			});
});

test("what is written over the oldest fault before it was read is no proof that there was none", () => {
	const ROOM = 256;
	for (const [later, isFree] of [
		[0, true],
		[1, false],
		[2, false],
	] as const) {
		const kernel = pretendKernel(1);
		const since = kernel.faults.mark();
		for (let i = 0; i < ROOM; i++) kernel.fault(i === 0 ? 0x9000 : 0x5000);
		const until = kernel.faults.mark();
		for (let i = 0; i < later; i++) kernel.fault(0x5000);
		assert.equal(kernel.faults.isFree(since, until, 0x9000, 0xa000), false, `${later} later`);
		assert.equal(kernel.faults.isFree(since, until, 0xb000, 0xc000), isFree, `${later} later, elsewhere`);
	}
});

test("where nothing is known of faults, nothing is free", () => {
	const opened = open("unknown");
	if (typeof opened === "string") return;
	const mark = opened.faults.mark();
	assert.ok(Number.isNaN(mark));
	assert.equal(opened.faults.isFree(mark, mark, 0, 1), false);
});
