import assert from "node:assert/strict";
import { type WasiContext, WASI_P2 } from "../src/wasi/mod.ts";

const INTERFACES = ["http/types", "http/outgoing-handler", "io/streams", "io/poll", "io/error"];

/** A result as the ABI gives it to a guest. */
export interface Outcome {
	readonly tag: "ok" | "err";
	readonly val?: any;
}

/**
 * A guest in JavaScript: it calls the host's functions by their names in the binary, with the values and in the order in which
 * the canonical ABI would.
 */
export class SimulatedGuest {
	readonly context: WasiContext;
	readonly #functions = new Map<string, (context: WasiContext, ...args: any[]) => unknown>();
	readonly #drops = new Map<string, (context: WasiContext, rep: unknown) => void>();

	constructor(context: WasiContext) {
		this.context = context;
		for (const { name, functions, resources } of WASI_P2) {
			if (!INTERFACES.some((path) => name.startsWith(`wasi:${path}@0.2.`))) continue;
			for (const [key, fn] of Object.entries(functions)) this.#functions.set(key, fn);
			for (const [key, { drop }] of Object.entries(resources)) this.#drops.set(key, drop ?? (() => {}));
		}
	}

	/** The plain result of a host function, or its promise. */
	call(name: string, ...args: unknown[]): any {
		const fn = this.#functions.get(name);
		assert.ok(fn, `the host has no function ${name}`);
		return fn(this.context, ...args);
	}

	/** The value of a result that must be `ok`. */
	ok(name: string, ...args: unknown[]): any {
		const result = this.call(name, ...args) as Outcome;
		assert.equal(result.tag, "ok", `${name}: ${JSON.stringify(result, replaceBigint)}`);
		return result.val;
	}

	drop(resource: string, rep: unknown): void {
		const drop = this.#drops.get(resource);
		assert.ok(drop, `the host has no resource ${resource}`);
		drop(this.context, rep);
	}

	fields(entries: Readonly<Record<string, string>> = {}): any {
		return this.ok(
			"[static]fields.from-list",
			Object.entries(entries).map(([name, value]) => [name, Buffer.from(value)]),
		);
	}

	/** Blocks on a pollable as `subscribe` gives it, and drops it. */
	async wait(subscribe: string, self: unknown): Promise<void> {
		const pollable = this.call(subscribe, self);
		await this.call("[method]pollable.block", pollable);
		this.drop("pollable", pollable);
	}

	/** Reads a stream to its end; what a `blocking-read` gave at last. */
	async readAll(stream: unknown, onChunk: (bytes: Uint8Array) => unknown): Promise<Outcome> {
		for (;;) {
			const result = (await this.call("[method]input-stream.blocking-read", stream, 65_536n)) as Outcome;
			if (result.tag === "err") return result;
			await onChunk(result.val);
		}
	}

	/** The text of an incoming body, and its trailers. */
	async consume(message: unknown, kind: "request" | "response"): Promise<{ text: string; trailers: Outcome }> {
		const body = this.ok(`[method]incoming-${kind}.consume`, message);
		const stream = this.ok("[method]incoming-body.stream", body);
		const chunks: Uint8Array[] = [];
		const end = await this.readAll(stream, (chunk) => chunks.push(chunk));
		assert.deepEqual(end, { tag: "err", val: { tag: "closed" } });
		this.drop("input-stream", stream);
		return { text: Buffer.concat(chunks).toString(), trailers: await this.trailers(body) };
	}

	/** Finishes an incoming body; the inner result. */
	async trailers(body: unknown): Promise<Outcome> {
		const future = this.call("[static]incoming-body.finish", body);
		await this.wait("[method]future-trailers.subscribe", future);
		const trailers = this.ok("[method]future-trailers.get", future);
		this.drop("future-trailers", future);
		return trailers;
	}

	/** Writes with backpressure, as `check-write` permits; the first error, or `ok`. */
	async write(stream: unknown, bytes: Uint8Array): Promise<Outcome> {
		for (let at = 0; at < bytes.length;) {
			const permit = this.call("[method]output-stream.check-write", stream) as Outcome;
			if (permit.tag === "err") return permit;
			const count = Math.min(Number(permit.val), bytes.length - at);
			if (count === 0) {
				await this.wait("[method]output-stream.subscribe", stream);
				continue;
			}
			const result = this.call("[method]output-stream.write", stream, bytes.slice(at, at + count)) as Outcome;
			if (result.tag === "err") return result;
			at += count;
		}
		return { tag: "ok" };
	}

	/** Writes a whole body and finishes it. */
	async writeBody(body: unknown, text: string | Uint8Array, trailers?: unknown): Promise<Outcome> {
		const stream = this.ok("[method]outgoing-body.write", body);
		const written = await this.write(stream, typeof text === "string" ? Buffer.from(text) : text);
		this.drop("output-stream", stream);
		return written.tag === "err" ? written : this.call("[static]outgoing-body.finish", body, trailers);
	}

	/** A response with a text as its body. */
	async respond(outparam: unknown, status: number, text: string, headers: Record<string, string> = {}): Promise<void> {
		const { body } = this.start(outparam, status, headers);
		assert.deepEqual(await this.writeBody(body, text), { tag: "ok", val: undefined });
	}

	/** Sets a response and gives the body that is to be written. */
	start(outparam: unknown, status = 200, headers: Record<string, string> = {}): { body: any } {
		const response = this.call("[constructor]outgoing-response", this.fields(headers));
		this.ok("[method]outgoing-response.set-status-code", response, status);
		const body = this.ok("[method]outgoing-response.body", response);
		this.call("[static]response-outparam.set", outparam, { tag: "ok", val: response });
		return { body };
	}

	/** An outgoing request to a URL. */
	request(method: string, url: string, headers: Record<string, string> = {}): any {
		const { protocol, host, pathname, search } = new URL(url);
		const request = this.call("[constructor]outgoing-request", this.fields(headers));
		this.ok("[method]outgoing-request.set-method", request, { tag: "other", val: method });
		this.ok("[method]outgoing-request.set-scheme", request, { tag: protocol === "https:" ? "HTTPS" : "HTTP" });
		this.ok("[method]outgoing-request.set-authority", request, host);
		this.ok("[method]outgoing-request.set-path-with-query", request, `${pathname}${search}`);
		return request;
	}

	/** What a future response becomes: the inner result. */
	async response(future: unknown): Promise<Outcome> {
		await this.wait("[method]future-incoming-response.subscribe", future);
		const result = this.ok("[method]future-incoming-response.get", future);
		assert.deepEqual(this.call("[method]future-incoming-response.get", future), { tag: "err", val: undefined });
		this.drop("future-incoming-response", future);
		return result;
	}
}

function replaceBigint(_key: string, value: unknown): unknown {
	return typeof value === "bigint" ? `${value}n` : value;
}
