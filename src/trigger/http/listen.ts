import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SkerryError } from "../../fault/mod.ts";
import { nodeHttp } from "../../sys/mod.ts";
import { ExpressLane } from "./express-connection.ts";
import type { HttpHandler } from "./http-handler.ts";
import { SERVER_LIMITS } from "./limits.ts";
import { WatchedResponse } from "./watched-response.ts";

export interface ListenOptions {
	readonly host: string;
	/** 0 for any that is free. */
	readonly port: number;
	readonly handler: HttpHandler;
}

export interface HttpListener {
	readonly host: string;
	readonly port: number;
	/** `http://host:port`. */
	readonly url: string;
	/** Accepts nothing more, waits at most `grace` milliseconds for what is under way, then cuts it off. Idempotent. */
	close(grace?: number): Promise<void>;
}

const DEFAULT_GRACE = 10_000;
/** How often kept connections that have become idle are closed while the server drains, in milliseconds. */
const IDLE_SWEEP = 50;

/** Listens for HTTP/1.1. Throws `cli/port-in-use` when the address is taken, not allowed or not this machine's. */
export async function listen({ host, port, handler }: ListenOptions): Promise<HttpListener> {
	const server = nodeHttp.createServer({ ...SERVER_LIMITS, ServerResponse: WatchedResponse }, (request, response) => {
		if (!lane.claims(response)) handler.handle(request, response);
	});
	const lane = new ExpressLane(server, (request, reply) => handler.handle(request, reply));
	server.on("checkContinue", (request, response) => handler.handle(request, response, true));
	// The head is bounded in bytes; a bound in number would drop fields silently.
	server.maxHeadersCount = 0;
	await new Promise<void>((resolve, reject) => {
		server.once("error", (error) => reject(refusedAddress(error, host, port)));
		server.listen(port, host, resolve);
	});
	const address = server.address() as AddressInfo;
	const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
	let closing: Promise<void> | undefined;
	return {
		host: address.address,
		port: address.port,
		url: `http://${name}:${address.port}`,
		close(grace = DEFAULT_GRACE) {
			closing ??= closeServer(server, lane, grace);
			return closing;
		},
	};
}

async function closeServer(server: Server, lane: ExpressLane, grace: number): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()));
	server.closeIdleConnections();
	lane.closeIdle();
	const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP);
	const cut = setTimeout(() => {
		server.closeAllConnections();
		lane.close();
	}, grace);
	await closed;
	lane.close();
	clearInterval(sweep);
	clearTimeout(cut);
}

function refusedAddress(error: NodeJS.ErrnoException, host: string, port: number): unknown {
	const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
	const another = host.includes(":") ? `[${host}]:` : `${host}:`;
	// Of the next thousand, the first that needs no permission and is no neighbour of a busy series.
	const free = port < 1024 ? 8080 : port < 65_000 ? port + 1 : port - 1;
	const hint = `listen on another port, for example --listen ${another}${free}`;
	switch (error.code) {
		case "EADDRINUSE":
			return new SkerryError("cli/port-in-use", `Cannot listen on ${address}: the port is in use`, {
				hint,
				cause: error,
			});
		case "EACCES":
			return new SkerryError("cli/port-in-use", `Cannot listen on ${address}: permission denied`, {
				hint,
				cause: error,
			});
		case "EADDRNOTAVAIL":
		case "ENOTFOUND":
			return new SkerryError("cli/port-in-use", `Cannot listen on ${address}: it is no address of this machine`, {
				hint: `listen on 127.0.0.1:${port}, or on 0.0.0.0:${port} for all addresses`,
				cause: error,
			});
		default:
			return error;
	}
}
