/** What `skerry up` says of its guests and their requests. */
import { renderError, renderLine, SkerryError } from "../fault/mod.ts";
import type { RequestRecord } from "../trigger/mod.ts";
import { GuestExit } from "../wasi/mod.ts";
import { paint } from "./terminal.ts";

/** Characters of a path that are shown: a client may send 60,000. */
const SHOWN_PATH = 500;

/** Where an operator grants: a component that is served alone has no manifest. */
export type GrantedBy = "manifest" | "flag";

/** What a guest was refused, and what grants it: of a request, its origin. */
export function describeDenied(by: GrantedBy, what: string, hint: string, origin?: string): string {
	const flag = `--allow-outbound ${origin}`;
	const line = `allowed_outbound_hosts = ["${origin}"]`;
	const grant = by === "flag" ? `grant it with ${flag}` : `grant it in skerry.toml with ${line}, or with ${flag}`;
	return `${paint("yellow", "denied:", process.stderr)} ${what}; ${origin === undefined ? hint : grant}`;
}

/** A line of a guest's standard output or error, behind the id of its request as `describeRequest` has it. */
export function describeOutput(app: string, stream: "stdout" | "stderr", line: string, request?: string): string {
	const whose = request === undefined ? "" : `${request} `;
	return `${whose}${paint("dim", `[${app} ${stream}]`, process.stderr)} ${renderLine(line)}`;
}

/**
 * Failures are always shown, with the id that the client was given, and so is what ended a guest behind its answer; the rest where it is
 * asked for.
 */
export function describeRequest(record: RequestRecord, verbose: boolean): string | undefined {
	const { id, method, status, milliseconds, outcome, reason, error } = record;
	const failed = outcome !== "answered" && outcome !== "client-gone";
	// To exit with success is a way to return.
	const late = outcome === "answered" && reason !== undefined && !(error instanceof GuestExit && error.status === 0);
	if (!verbose && !failed && !late) return undefined;
	const path = record.path.length > SHOWN_PATH ? `${record.path.slice(0, SHOWN_PATH)}…` : record.path;
	const mark = failed ? paint("red", outcome, process.stderr) : outcome;
	const then = late ? `, ${paint("red", "then failed", process.stderr)}` : "";
	const why = reason === undefined ? "" : `${then}: ${reason}`;
	const line = `${id} ${method} ${path} ${status ?? "-"} ${milliseconds.toFixed(1)} ms ${mark}${why}`;
	if (!(failed || late) || !(error instanceof SkerryError)) return line;
	return `${line}\n${renderError(error).replaceAll(/^/gm, "    ")}`;
}
