import { announcesTrailers } from "../../sys/mod.ts";
import type { OutgoingResponse } from "../../wasi/mod.ts";

export const BROKEN_OFF = "the guest dropped its response body before it had finished it";

/** RFC 9110, 6.4.1: these have no body, whatever the guest writes. */
export function isBodiless(method: string | undefined, status: number): boolean {
	return method === "HEAD" || status === 204 || status === 304;
}

/**
 * Why a response cannot be sent; `undefined` for one that can.
 * @param headers names and values in turn
 */
export function refusalOf(
	response: OutgoingResponse,
	headers: readonly string[],
	bodiless: boolean,
): string | undefined {
	const { announcedLength, takenBody } = response;
	if (announcedLength === "invalid") return "the guest's content-length is not a length";
	if (announcedLength !== undefined && announcesTrailers(headers)) {
		return "the guest announced trailers, which a body with a content-length cannot have";
	}
	if (bodiless) return undefined;
	if (takenBody === undefined && announcedLength !== undefined && announcedLength > 0) {
		return `the guest announced ${announcedLength} bytes of a body that it did not take`;
	}
	return takenBody?.sink.end === "aborted" ? BROKEN_OFF : undefined;
}

/**
 * The header fields of a response without a body.
 * @param headers names and values in turn
 * @param sized whether there is a length among them
 */
export function bodilessHeaders(headers: string[], status: number, bodiless: boolean, sized: boolean): string[] {
	// RFC 9110, 8.6
	if (status === 204) return without(headers, "content-length");
	return sized || bodiless ? headers : [...headers, "content-length", "0"];
}

/** Names and values in turn, less one field. */
function without(raw: readonly string[], key: string): string[] {
	const kept: string[] = [];
	for (let i = 0; i + 1 < raw.length; i += 2) {
		const name = raw[i] ?? "";
		if (name.toLowerCase() !== key) kept.push(name, raw[i + 1] ?? "");
	}
	return kept;
}
