/** Servers with limits of their own, and clients of them: a process, as killing a guest's stack is not for one in which `node:test` watches. */
import { request as httpRequest } from "node:http";
import { stripVTControlCharacters } from "node:util";
import { describeOutput, describeRequest } from "../../src/cli/server-log.ts";
import { renderError, SkerryError } from "../../src/fault/mod.ts";
import { serve, type ServeOptions, type ServerUsage } from "../../src/server/mod.ts";

export interface LimitedServer extends Pick<ServeOptions, "limits" | "metering"> {
	/** What is asked for, while others ask for `/0`. */
	readonly path: string;
}

export interface LimitedAnswer {
	/** 0: there is no server. */
	readonly status: number;
	readonly text: string;
	readonly whole: boolean;
}

/** What came of one server. */
export interface LimitedOutcome {
	readonly answer: LimitedAnswer;
	/** Of requests for `/0`, at the same time and behind it. */
	readonly others: readonly LimitedAnswer[];
	/** What the operator reads of what went wrong, and of what guests write. */
	readonly log: readonly string[];
	/** Once all is answered. */
	readonly usage: ServerUsage | undefined;
}

/** The component, and the servers of it, one after another. */
interface Work {
	readonly bytes: Uint8Array;
	readonly servers: readonly LimitedServer[];
}

async function ask(url: string): Promise<LimitedAnswer> {
	const { promise, resolve } = Promise.withResolvers<LimitedAnswer>();
	const request = httpRequest(url, { agent: false }, (response) => {
		const chunks: Buffer[] = [];
		response.on("data", (chunk: Buffer) => chunks.push(chunk));
		response.on("error", () => {});
		response.on("close", () => {
			const { statusCode: status = 0, complete: whole } = response;
			resolve({ status, text: Buffer.concat(chunks).toString(), whole });
		});
	});
	request.on("error", () => resolve({ status: 0, text: "", whole: false }));
	request.end();
	return await promise;
}

async function run(bytes: Uint8Array, { path, ...given }: LimitedServer): Promise<LimitedOutcome> {
	const log: string[] = [];
	const starting = serve({
		...given,
		bytes,
		app: "shop",
		env: {},
		allowOutbound: [],
		listen: { host: "127.0.0.1", port: 0 },
		troubleOnly: true,
		onRequest: (record) => {
			const text = describeRequest(record, false);
			if (text !== undefined) log.push(stripVTControlCharacters(text));
		},
		onOutput: (...output) => log.push(stripVTControlCharacters(describeOutput("shop", ...output))),
	});
	const server = await starting.catch((error: unknown) => {
		if (!(error instanceof SkerryError)) throw error;
		log.push(renderError(error));
		return undefined;
	});
	if (server === undefined) return { answer: { status: 0, text: "", whole: false }, others: [], log, usage: undefined };
	const [answer, ...others] = await Promise.all([path, "/0", "/0"].map((asked) => ask(`${server.url}${asked}`)));
	others.push(await ask(`${server.url}/0`));
	for (let turn = 0; turn < 1_000 && Object.values(server.usage()).some((count) => count > 0); turn++) {
		await new Promise((resolve) => setImmediate(resolve));
	}
	const usage = server.usage();
	await server.close(0);
	return { answer: answer as LimitedAnswer, others, log, usage };
}

async function runAll({ bytes, servers }: Work): Promise<void> {
	const outcomes: LimitedOutcome[] = [];
	for (const server of servers) outcomes.push(await run(bytes, server));
	process.send?.(outcomes, () => process.disconnect?.());
}

process.once("message", (work: Work) => void runAll(work));
