import type { IncomingMessage } from "node:http";
import type { TriggerLimits } from "./limits.ts";

/**
 * Throws away what is unread of an answered request, so that its connection can be used again; when that is too much or takes too
 * long, the connection is closed.
 */
export function discardRest(request: IncomingMessage, limits: TriggerLimits): void {
	if (request.readableEnded) return;
	const { socket } = request;
	if (request.complete || socket.destroyed) {
		request.resume();
		return;
	}
	let bytes = 0;
	const timer = setTimeout(() => socket.destroy(), limits.discardTime);
	const stop = (): void => {
		clearTimeout(timer);
		socket.off("close", stop);
	};
	// Node forgets a request that is answered: of the end of its connection only the socket tells.
	socket.on("close", stop);
	request.on("end", stop);
	request.on("error", stop);
	request.on("data", (chunk: Uint8Array) => {
		bytes += chunk.length;
		if (bytes > limits.discardBytes) socket.destroy();
	});
	request.resume();
}
