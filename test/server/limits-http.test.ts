/** The table of limits as it is met over HTTP: what the client gets, what the operator reads, and that nobody else notices. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LIMITS, type LimitName, type Limits, type MeteringMode } from "../../src/fault/mod.ts";
import { buildGuest } from "./guest-wat.ts";
import type { LimitedOutcome, LimitedServer } from "./limits-http.fixture.ts";

const PAGE = 65_536;
/** Milliseconds that are enough whatever else the machine does. */
const AMPLE = 60_000;
const SERVERS = fileURLToPath(new URL("limits-http.fixture.ts", import.meta.url));

interface Row {
	/** The inside of a case's function, see `buildGuest`; what answers comes behind it. */
	readonly wat: string;
	/** What it needs with its answer, in the limit's unit. */
	readonly needs: number;
	/** Of times, which are not exact to the millisecond: what is tried is so much less, and `AMPLE`. */
	readonly tolerance?: number;
	readonly metering?: MeteringMode;
	/** What the client gets below the limit: 500 where nothing is said. */
	readonly status?: number;
	/** What the operator reads then, behind the request's id. */
	readonly log: RegExp;
	/** What the operator reads with enough. */
	readonly said?: readonly RegExp[];
	/** No sandbox can be made below the limit: nothing is served. */
	readonly atStart?: boolean;
}

const refused = (what: string): RegExp => new RegExp(`^\\S+-1 GET /\\d+ 500 \\S+ ms failed: ${what}\n`);
const killed = (what: string): RegExp => refused(`killed: ${what} of app shop\\)`);
const unserved = (needs: string, limit: LimitName, given: string): RegExp =>
	new RegExp(
		`^error\\[engine/options\\]: Cannot serve shop: it begins with ${needs}, and its limit "${limit}" is ${given}\n  help: allow as much with --limit.${limit},`,
	);
const repeat = (times: number, what: string): string => what.repeat(times);
const stored = (...words: readonly number[]): string =>
	words.map((word, i) => `(i32.store (i32.const ${4 * i}) (i32.const ${word}))`).join("");
const say = (stream: string): string =>
	`(call $fill) (drop (call $say (call $${stream}) (i32.const 1024) (i32.const 10)))`;

/** `stack` is the process's, `streams` are of components that WASI 0.2 has not: `limits-graph.test.ts`. */
const ROWS: Readonly<Record<string, Row & { readonly limit: Exclude<LimitName, "stack" | "streams"> }>> = {
	memory: {
		limit: "memory",
		wat: "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))",
		needs: 3 * PAGE,
		log: refused("unreachable"),
	},
	tables: {
		limit: "tables",
		wat: "(if (i32.eq (table.grow $t (ref.null func) (i32.const 4)) (i32.const -1)) (then unreachable))",
		// Its own, one for each case, and one for each function with memory that it imports
		needs: 4 + 3 + 17 + 14,
		log: refused("unreachable"),
	},
	gcHeap: {
		limit: "gcHeap",
		wat: "(drop (array.new_default $bytes (i32.const 1000)))",
		needs: 24 + 1000,
		log: killed('gcHeap 1023 bytes \\(limit "gcHeap"'),
	},
	instances: {
		limit: "instances",
		wat: "",
		needs: 3,
		log: unserved("3 instances", "instances", "2 instances"),
		atStart: true,
	},
	wall: {
		limit: "wall",
		wat: "(call $sleep (i64.const 2500))",
		// So that nobody else comes to it because the machine is busy
		needs: 2500,
		tolerance: 500,
		status: 504,
		log: /^\S+-1 GET \/\d+ 504 \S+ ms timed-out: killed: wall 2000 ms \(limit "wall" of app shop\)\n/,
	},
	cpu: {
		limit: "cpu",
		wat: `(local.set $a (i32.const 1000000000))
			(loop $again (br_if $again (local.tee $a (i32.sub (local.get $a) (i32.const 1)))))`,
		needs: 100,
		tolerance: 40,
		log: killed('cpu 60 ms \\(limit "cpu"'),
	},
	fuel: {
		limit: "fuel",
		wat: `${repeat(50, "(drop (i32.const 0))")} (loop)`,
		// All that it runs, from the path to the answer, and what is to come behind it
		needs: 111,
		tolerance: 1,
		metering: "fuel",
		log: killed('fuel \\d+ instructions \\(limit "fuel"'),
	},
	fuelBehindAnswer: {
		limit: "fuel",
		wat: `${repeat(50, "(drop (i32.const 0))")} (loop)`,
		needs: 112,
		tolerance: 1,
		metering: "fuel",
		status: 200,
		log: /^\S+-1 GET \/\d+ 200 \S+ ms answered, then failed: killed: fuel 111 instructions \(limit "fuel" of app shop\)\n/,
	},
	handles: {
		limit: "handles",
		wat: repeat(3, "(drop (call $fields))"),
		// The request, its response-outparam, and the response, into which its fields go
		needs: 3 + 3,
		log: refused('handle table is full \\(limit "handles" of app shop: 5\\)'),
	},
	values: {
		limit: "values",
		wat: `${stored(512, 2, 512, 2, 512, 2, 512, 2)} (call $fields.from-list (i32.const 0) (i32.const 2) (i32.const 64))`,
		// By the estimate: two pairs of a name and a list of numbers
		needs: 696,
		log: refused('too much in the lists of one call \\(limit "values" of app shop: \\d+\\)'),
	},
	buffered: {
		limit: "buffered",
		wat: repeat(2, "(drop (call $fields))"),
		needs: 3 * 128,
		log: killed('buffered 383 bytes \\(limit "buffered"'),
	},
	stdout: {
		limit: "output",
		wat: say("stdout"),
		needs: 10,
		status: 200,
		log: /^\S+-1 \[shop stdout\] x{9}$/,
		said: [/^\S+-1 \[shop stdout\] x{10}$/],
	},
	stderr: {
		limit: "output",
		wat: say("stderr"),
		needs: 10,
		status: 200,
		log: /^\S+-1 \[shop stderr\] x{9}$/,
		said: [/^\S+-1 \[shop stderr\] x{10}$/],
	},
	hostCalls: {
		limit: "hostCalls",
		wat: repeat(3, "(drop (call $now))"),
		// For its path, and for its answer
		needs: 3 + 1 + 3,
		log: killed('hostCalls 6 calls \\(limit "hostCalls"'),
	},
	firstMemory: {
		limit: "memory",
		wat: "",
		needs: 2 * PAGE,
		log: unserved("128 KiB", "memory", "131071 bytes"),
		atStart: true,
	},
	firstTables: {
		limit: "tables",
		wat: "",
		needs: 3 + 17 + 14,
		log: unserved("34 elements", "tables", "33 elements"),
		atStart: true,
	},
};

const ANSWER = "(call $set (local.get $out) (call $response (call $fields)))";
const EXTRA = "(table $t 3 funcref) (type $bytes (array i8))";
const NOTHING = { requests: 0, sandboxes: 0, handles: 0, outgoing: 0, bufferedBytes: 0 };

async function outcomesOf(servers: readonly LimitedServer[]): Promise<LimitedOutcome[]> {
	const cases = Object.values(ROWS).map(({ wat }) => `${wat} ${ANSWER}`);
	const bytes = await buildGuest([ANSWER, ...cases], EXTRA);
	const { promise, resolve, reject } = Promise.withResolvers<LimitedOutcome[]>();
	const child = fork(SERVERS, {
		serialization: "advanced",
		// Not the flags of `node --test`.
		execArgv: [],
		env: { ...process.env, NODE_OPTIONS: "" },
	});
	child.once("message", (outcomes) => resolve(outcomes as LimitedOutcome[]));
	child.once("exit", (code, signal) => reject(new Error(`the servers ended: ${signal ?? code}`)));
	child.send({ bytes, servers });
	return await promise;
}

suite("limits over HTTP, one below, at, and one above", () => {
	test("each has its row here", () => {
		const rows = Object.values(ROWS).map(({ limit }) => limit);
		assert.deepEqual([...new Set([...rows, "stack", "streams"])].toSorted(), Object.keys(LIMITS).toSorted());
	});

	const plans = Object.entries(ROWS).map(([name, row], i) => {
		const { needs, tolerance = 1, limit, metering } = row;
		const enough = row.tolerance === undefined ? [needs, needs + 1] : [AMPLE];
		const how = metering === undefined ? {} : { metering };
		const servers = [needs - tolerance, ...enough].map((value): LimitedServer => {
			const limits: Limits = { [limit]: value };
			return Object.assign({ path: `/${i + 1}`, limits }, how);
		});
		return { name, row, servers };
	});
	const outcomes = outcomesOf(plans.flatMap(({ servers }) => servers));

	for (const [i, { name, row, servers }] of plans.entries()) {
		const first = plans.slice(0, i).reduce((sum, plan) => sum + plan.servers.length, 0);
		test(name, async () => {
			const [least, ...enough] = (await outcomes).slice(first, first + servers.length) as [
				LimitedOutcome,
				...LimitedOutcome[],
			];
			const { atStart = false, status = atStart ? 0 : 500, log, said = [] } = row;
			assert.deepEqual([least.answer.status, least.answer.whole], [status, !atStart], least.log.join("\n"));
			assert.equal(least.log.filter((line) => log.test(line)).length, 1, least.log.join("\n"));
			assert.deepEqual(
				least.others.map((other) => other.status),
				atStart ? [] : [200, 200, 200],
			);
			assert.deepEqual(least.usage, atStart ? undefined : NOTHING);
			for (const outcome of enough) {
				assert.deepEqual([outcome.answer.status, outcome.answer.whole], [200, true], outcome.log.join("\n"));
				assert.equal(outcome.log.length, said.length, outcome.log.join("\n"));
				for (const [j, line] of said.entries()) assert.match(String(outcome.log[j]), line);
				assert.deepEqual(
					outcome.others.map((other) => other.status),
					[200, 200, 200],
				);
				assert.deepEqual(outcome.usage, NOTHING);
			}
		});
	}
});
