import type { PooledSandbox } from "../../src/pool/mod.ts";
import { type BodySink, type BodySource, DiscardingSink } from "../../src/sys/mod.ts";
import { createIncomingRequest, createResponseOutparam } from "../../src/wasi/mod.ts";

export interface HttpCall {
	/** Of `wasi:http/incoming-handler`, as the binary says it. */
	readonly path: readonly string[];
	readonly method?: string;
	readonly target: string;
	/** Given to the guest in these pieces, each in a turn of its own. */
	readonly body?: readonly Uint8Array[];
	/** The body never ends: the guest waits for it until it is killed. */
	readonly stalls?: boolean;
}

export interface HttpAnswer {
	readonly status: number | undefined;
	readonly body: string;
}

const HEADERS = ["host", "localhost", "user-agent", "skerry-test", "accept", "*/*"];

/** Calls a guest's handler without a server around it; resolves when the call has returned. The sandbox is the caller's to end. */
export async function callHandler(sandbox: PooledSandbox, call: HttpCall): Promise<HttpAnswer> {
	let status: number | undefined;
	const chunks: Uint8Array[] = [];
	const request = createIncomingRequest(sandbox.context, {
		method: call.method ?? "GET",
		scheme: "http",
		authority: "localhost",
		pathWithQuery: call.target,
		rawHeaders: HEADERS,
		body: pieces(call.body ?? [], call.stalls === true),
	});
	const response = createResponseOutparam({
		respond(result) {
			if (result.tag === "err") return;
			status = result.val.status;
			result.val.takenBody?.attach(collector(chunks));
		},
		abandon() {},
	});
	await sandbox.call(call.path, [request, response]);
	return { status, body: Buffer.concat(chunks).toString() };
}

function collector(chunks: Uint8Array[]): BodySink {
	const sink = new DiscardingSink(
		() => {},
		() => {},
	);
	sink.write = (bytes) => void chunks.push(bytes);
	return sink;
}

function pieces(chunks: readonly Uint8Array[], stalls: boolean): BodySource {
	let next = 0;
	let due = false;
	return {
		rawTrailers: [],
		ready: () => due || (next === chunks.length && !stalls),
		wait: () =>
			new Promise((resolve) => {
				if (next === chunks.length) return;
				setImmediate(() => {
					due = true;
					resolve();
				});
			}),
		read() {
			if (next === chunks.length) return stalls ? new Uint8Array(0) : null;
			if (!due) return new Uint8Array(0);
			due = false;
			return Uint8Array.from(chunks[next++] as Uint8Array);
		},
		close() {},
	};
}
