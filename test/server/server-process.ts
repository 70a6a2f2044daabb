/** A server in a process of its own, driven through messages: killing a guest's stack is not for a process in which `node:test` watches. */
import { serve, type Server, type ServeOptions, type ServerUsage } from "../../src/server/mod.ts";
import type { RequestRecord } from "../../src/trigger/mod.ts";

export type StartOptions = Pick<ServeOptions, "bytes"> &
	Partial<Pick<ServeOptions, "app" | "env" | "allowOutbound" | "limits" | "metering">>;
export type LoggedRequest = Omit<RequestRecord, "error">;

export type ToServer = { readonly start: StartOptions } | "usage" | "stop";
export type FromServer =
	| { readonly url: string }
	| { readonly failed: string }
	| { readonly usage: ServerUsage }
	| { readonly record: LoggedRequest }
	/** `stdout line`, `stderr line`, and the request that it is of */
	| { readonly output: string; readonly request: string | undefined }
	/** `what; hint` */
	| { readonly denied: string };

function tell(message: FromServer): void {
	// A client that went away may be reported after the last word.
	if (process.connected) process.send?.(message);
}

let server: Server | undefined;

async function start(options: StartOptions): Promise<void> {
	server = await serve({
		env: {},
		allowOutbound: [],
		...options,
		listen: { host: "127.0.0.1", port: 0 },
		onRequest: ({ error: _, ...record }) => tell({ record }),
		onOutput: (stream, line, request) => tell({ output: `${stream} ${line}`, request }),
		onDenied: (what, hint) => tell({ denied: `${what}; ${hint}` }),
	});
	tell({ url: server.url });
}

process.on("message", (message: ToServer) => {
	if (message === "usage") {
		if (server !== undefined) tell({ usage: server.usage() });
	} else if (message === "stop") {
		void server?.close(0).then(() => process.disconnect?.());
	} else {
		start(message.start).catch((error: unknown) => tell({ failed: String(error) }));
	}
});
