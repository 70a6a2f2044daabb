import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAutocannon, parseWrk } from "./load.ts";

const WRK = `Running 2s test @ http://127.0.0.1:8123/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.10ms    2.11ms  35.36ms   95.92%
    Req/Sec    42.19k     8.21k   56.77k    70.00%
  Latency Distribution
     50%  643.00us
     75%    0.92ms
     90%    1.63ms
     99%    1.20s 
  83932 requests in 2.00s, 15.05MB read
`;

describe("parseWrk", () => {
	it("reads the figures in milliseconds", () => {
		assert.deepEqual(parseWrk(`${WRK}Requests/sec:  41955.11\nTransfer/sec:      7.52MB\n`), {
			requestsPerSecond: 41955.11,
			p50Ms: 0.643,
			p99Ms: 1200,
			requests: 83932,
			failures: 0,
		});
	});

	it("counts every kind of failure", () => {
		const text = `${WRK}  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 50000
Requests/sec:  41955.11
`;
		assert.equal(parseWrk(text).failures, 54321);
	});

	it("refuses what it cannot read", () => {
		for (const text of ["", "unable to connect to 127.0.0.1:1 Connection refused", WRK]) {
			assert.throws(() => parseWrk(text), /Cannot read what wrk printed/);
		}
	});
});

describe("parseAutocannon", () => {
	it("reads the report, and counts errors and bad answers", () => {
		const report = {
			duration: 2,
			requests: { total: 3000, average: 1499 },
			latency: { p50: 1, p99: 12 },
			errors: 3,
			timeouts: 2,
			non2xx: 4,
		};
		assert.deepEqual(parseAutocannon(JSON.stringify(report)), {
			requestsPerSecond: 1500,
			p50Ms: 1,
			p99Ms: 12,
			requests: 3000,
			failures: 7,
		});
	});

	it("refuses what it cannot read", () => {
		assert.throws(() => parseAutocannon("oops"), /Cannot read what autocannon printed: oops/);
	});
});
