import assert from "node:assert/strict";
import { type ClientRequest, request as send, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { after } from "node:test";
import { BufferMeter, createHttpClient } from "../src/sys/mod.ts";
import {
	createHttpHandler,
	type HttpHandler,
	type HttpListener,
	listen,
	type RequestRecord,
	type TriggerLimits,
} from "../src/trigger/mod.ts";
import { createWasiContext, parseOutboundPolicy } from "../src/wasi/mod.ts";
import { SimulatedGuest } from "./simulated-guest.ts";

/** What a guest does with a request. */
export type Handle = (guest: SimulatedGuest, request: any, outparam: any) => unknown;

export interface Site {
	readonly url: string;
	readonly handler: HttpHandler;
	readonly listener: HttpListener;
	readonly records: RequestRecord[];
	/** The reasons with which guests were ended. */
	readonly ended: unknown[];
	/** Waits until nothing is in use, and gives the records so far. */
	readonly idle: () => Promise<RequestRecord[]>;
}

const client = createHttpClient();
after(() => client.close());

/** Serves requests with a guest for the time of a test; afterwards nothing may be in use. */
export async function serving(
	handle: Handle,
	run: (site: Site) => Promise<void>,
	limits: Partial<TriggerLimits> = {},
): Promise<void> {
	const records: RequestRecord[] = [];
	const ended: unknown[] = [];
	const meter = new BufferMeter();
	const handler = createHttpHandler({
		acquire() {
			const context = createWasiContext({
				http: { outbound: { policy: parseOutboundPolicy(["http://127.0.0.1:*"]), client }, meter },
			});
			const guest = new SimulatedGuest(context);
			return {
				context,
				async call(request, outparam) {
					await handle(guest, request, outparam);
				},
				end(reason) {
					ended.push(reason);
					context.end();
				},
			};
		},
		limits,
		onRequest: (record) => records.push(record),
		client,
		meter,
	});
	const listener = await listen({ host: "127.0.0.1", port: 0, handler });
	const idle = async (): Promise<RequestRecord[]> => {
		await until(
			() => {
				const { requests, requestsInFlight, guestsInUse, outgoingInFlight, bufferedBytes } = handler.usage();
				return records.length === requests && requestsInFlight + guestsInUse + outgoingInFlight + bufferedBytes === 0;
			},
			() => `everything is released: ${JSON.stringify(handler.usage())}`,
		);
		assert.equal(ended.length <= records.length, true, "a guest is ended once");
		return records;
	};
	try {
		await run({ url: listener.url, handler, listener, records, ended, idle });
		await idle();
	} finally {
		await listener.close(0);
	}
}

export async function until(condition: () => boolean, what: string | (() => string)): Promise<void> {
	for (let i = 0; i < 2_000; i++) {
		if (condition()) return;
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.fail(`not within twenty seconds: ${typeof what === "string" ? what : what()}`);
}

export interface Answer {
	readonly status: number | undefined;
	readonly headers: NodeJS.Dict<string | string[]>;
	readonly text: string;
	readonly trailers: NodeJS.Dict<string>;
	/** The code with which the body broke off. */
	readonly broken: string | undefined;
}

export function answerTo(request: ClientRequest): Promise<Answer> {
	return new Promise((resolve, reject) => {
		request.on("error", reject);
		request.on("response", (response) => {
			let text = "";
			response.setEncoding("latin1");
			response.on("data", (chunk: string) => (text += chunk));
			const done = (broken?: string): void => {
				const { statusCode: status, headers, trailers } = response;
				resolve({ status, headers, text, trailers, broken });
			};
			response.on("end", () => done());
			response.on("error", (error: NodeJS.ErrnoException) => done(error.code));
		});
	});
}

export function fetchText(url: string, options: RequestOptions = {}, body: string | Uint8Array = ""): Promise<Answer> {
	const request = send(url, { agent: false, ...options });
	request.end(body);
	return answerTo(request);
}

/** The id in a response of the server's own must be the record's. */
export function assertOwn(answer: Answer, record: RequestRecord | undefined, status: number): void {
	assert.equal(answer.status, status);
	assert.ok(record);
	assert.equal(answer.headers["x-skerry-request-id"], record.id);
	assert.ok(answer.text.includes(record.id));
	assert.equal(record.status, status);
}

/** What the server says to raw bytes. */
export function rawAnswer(port: number, text: string): Promise<string> {
	return new Promise((resolve) => {
		let answer = "";
		const socket = connect(port, "127.0.0.1", () => socket.write(text));
		socket.setEncoding("latin1");
		socket.on("data", (data: string) => (answer += data));
		socket.on("error", () => {});
		socket.on("close", () => resolve(answer));
	});
}
