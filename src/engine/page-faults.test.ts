import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type Ffi, type FfiProcess, openLibC, withFfi } from "./libc.ts";
import { type FaultMethod, type PageFaults, watchFaults } from "./page-faults.ts";
import { webAssembly } from "./v8.ts";

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

test("where nothing is known of faults, nothing is free", () => {
	const opened = open("unknown");
	if (typeof opened === "string") return;
	const mark = opened.faults.mark();
	assert.ok(Number.isNaN(mark));
	assert.equal(opened.faults.isFree(mark, mark, 0, 1), false);
});
