import type { Socket } from "node:net";
import type { Server } from "node:http";
import { threadRelay } from "../../engine/mod.ts";
import { atTurnEnd, type TurnEnding } from "../../sys/mod.ts";
import { parseExpressHead, type RequestHead } from "./express-head.ts";
import { ExpressReply, type ReplayableConnection } from "./express-reply.ts";
import { SERVER_LIMITS } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import type { WatchedResponse } from "./watched-response.ts";

/** Longer heads are Node's. */
const LARGEST_HEAD = 8 * 1024;
/** Milliseconds between looks at connections on which nothing happens. */
const SWEEP = 5_000;
/** Looks after which a connection is closed: before its first request, and after that. Never earlier than was promised. */
const PATIENCE_BEFORE: number = Math.ceil(SERVER_LIMITS.headersTimeout / SWEEP) + 1;
const PATIENCE: number = Math.ceil(SERVER_LIMITS.keepAliveTimeout / SWEEP) + 1;

type Take = (head: RequestHead, reply: ExpressReply) => void;
type ConnectionListener = (this: Server, socket: Socket) => void;

/**
 * Connections that have brought nothing yet but plain requests, each answered as soon as it was read: those are read and answered without
 * Node's machinery for requests in general, which takes longer than a small guest. Whatever is out of the ordinary, in a request, its answer or
 * its connection, makes the connection Node's, once for all: Node reads the request's bytes anew, and everything is as if it always
 * had. So nothing here knows of bodies, of pipelines, of chunks, or of waiting for a guest.
 */
export class ExpressLane implements TurnEnding {
	/** The answers of all connections. */
	readonly outbox: Outbox = new Outbox();
	/** Those whose request was read in this turn. */
	#asking: ExpressConnection[] = [];
	/** Requests are being answered. */
	#answering = false;
	#closing = false;
	readonly #server: Server;
	readonly #take: Take;
	readonly #toNode: ConnectionListener;
	readonly #connections = new Set<ExpressConnection>();
	readonly #timer: NodeJS.Timeout;
	/** Gets the response to the request that Node is given anew. */
	#replayed: ((response: WatchedResponse) => void) | undefined;

	/** Stands before `server` from now on. `take` answers requests, at once or through Node. */
	constructor(server: Server, take: Take) {
		this.#server = server;
		this.#take = take;
		const [toNode] = server.listeners("connection");
		if (toNode === undefined) throw new Error("the server has no listener for connections");
		this.#toNode = toNode;
		server.removeListener("connection", this.#toNode);
		server.on("connection", (socket: Socket) => {
			this.#connections.add(new ExpressConnection(this, socket));
		});
		this.#timer = setInterval(() => {
			for (const connection of this.#connections) connection.look();
		}, SWEEP).unref();
	}

	/** Whether the response that Node has made is to a request which was taken here already. */
	claims(response: WatchedResponse): boolean {
		const replayed = this.#replayed;
		this.#replayed = undefined;
		replayed?.(response);
		return replayed !== undefined;
	}

	take(head: RequestHead, reply: ExpressReply): void {
		this.#take(head, reply);
	}

	/**
	 * Its request is answered when the turn is over: first all that have come are read, then all are answered, then all answers are sent. In
	 * each step the same code runs again and again; request by request, most of it would have left the caches in between.
	 */
	ask(connection: ExpressConnection): void {
		if (this.#asking.push(connection) === 1) atTurnEnd(this);
	}

	/** Answers what was asked so far, all guests one after another on one stack, if none has to wait. */
	onTurnEnd(): void {
		const asking = this.#asking;
		this.#asking = [];
		const within = this.#answering;
		this.#answering = true;
		let answered = 0;
		let began = performance.now();
		this.outbox.begin(began);
		try {
			threadRelay().run(() => {
				if (answered > 0) {
					began = performance.now();
					this.outbox.served(began);
				}
				if (answered === asking.length) return false;
				(asking[answered++] as ExpressConnection).answer(began);
				return true;
			});
		} finally {
			this.#answering = within;
			// Whatever went wrong with one is nothing of the others'.
			for (; answered < asking.length; answered++) this.ask(asking[answered] as ExpressConnection);
		}
		this.outbox.flush();
		if (this.#closing && !within) this.#endAll();
	}

	forget(connection: ExpressConnection): void {
		this.#connections.delete(connection);
	}

	/** Gives Node a connection on which `bytes` have come that Node has not seen. */
	handOver(socket: Socket, bytes: Buffer): void {
		this.#toNode.call(this.#server, socket);
		socket.emit("data", bytes);
	}

	/** As `handOver`, of a request that was taken here. */
	replay(socket: Socket, bytes: Buffer): WatchedResponse {
		let found: WatchedResponse | undefined;
		this.#replayed = (response) => {
			found = response;
		};
		this.handOver(socket, bytes);
		this.#replayed = undefined;
		if (found === undefined) throw new Error("Node refuses a request that was taken");
		return found;
	}

	/** Closes connections that have nothing left to send: where a guest, or who hears of it, closes the server, those whose turn is to come, too. */
	closeIdle(): void {
		this.#closing = true;
		this.onTurnEnd();
	}

	#endAll(): void {
		for (const { socket } of this.#connections) socket.destroySoon();
	}

	/** Closes all. */
	close(): void {
		clearInterval(this.#timer);
		this.onTurnEnd();
		for (const { socket } of this.#connections) socket.destroy();
	}
}

class ExpressConnection implements ReplayableConnection {
	readonly socket: Socket;
	readonly #lane: ExpressLane;
	/** The bytes of the last request. */
	#bytes: Buffer | undefined;
	/** What they say, until it is answered. */
	#head: RequestHead | undefined;
	#reply: ExpressReply | undefined;
	#served = false;
	/** Looks since something happened last. */
	#idle = 0;
	/** Bytes that waited for the kernel at the last look. */
	#waiting = 0;

	readonly #onData = (bytes: Buffer): void => {
		this.#hurry();
		// The server is closing: the client has to ask elsewhere.
		if (!this.socket.writable) return;
		// What comes while an answer is on its way is for who knows how to hold it back.
		const simple = bytes.length <= LARGEST_HEAD && this.socket.writableLength === 0;
		const head = simple ? parseExpressHead(bytes.toString("latin1"), this.socket) : undefined;
		if (head === undefined) {
			this.#leave();
			this.#lane.handOver(this.socket, bytes);
			return;
		}
		this.#idle = 0;
		this.#served = true;
		this.#bytes = bytes;
		this.#head = head;
		this.#lane.ask(this);
	};
	/** The client sends no more; what it asked is answered. */
	readonly #onEnd = (): void => {
		this.#hurry();
		this.socket.end();
	};
	readonly #onError = (): void => {
		this.socket.destroy();
	};
	readonly #onClose = (): void => {
		this.#lane.forget(this);
	};

	constructor(lane: ExpressLane, socket: Socket) {
		this.#lane = lane;
		this.socket = socket;
		socket.on("error", this.#onError);
		socket.on("close", this.#onClose);
		socket.on("end", this.#onEnd);
		socket.on("data", this.#onData);
	}

	/** Answers its request, if that was not done or given up. */
	answer(now: number): void {
		const head = this.#head;
		this.#head = undefined;
		if (head === undefined || this.socket.destroyed) return;
		this.#reply = new ExpressReply(this, this.#lane.outbox, now);
		this.#lane.take(head, this.#reply);
	}

	/** Something else happens to it: what was before that must not wait. */
	#hurry(): void {
		if (this.#head !== undefined || this.#reply?.held === true) this.#lane.onTurnEnd();
	}

	look(): void {
		const { writableLength } = this.socket;
		this.#idle = writableLength < this.#waiting ? 0 : this.#idle + 1;
		this.#waiting = writableLength;
		if (this.#idle >= (this.#served ? PATIENCE : PATIENCE_BEFORE)) this.socket.destroy();
	}

	replay(): WatchedResponse {
		this.#leave();
		return this.#lane.replay(this.socket, this.#bytes as Buffer);
	}

	#leave(): void {
		const { socket } = this;
		this.#lane.forget(this);
		socket.off("error", this.#onError);
		socket.off("close", this.#onClose);
		socket.off("end", this.#onEnd);
		socket.off("data", this.#onData);
	}
}
