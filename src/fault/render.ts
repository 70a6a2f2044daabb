import { type Place, SkerryError, Trap } from "./error.ts";

/** Frames of a guest's stack that are shown. */
const FRAMES = 12;

export function renderPlace(place: Place): string {
	const parts: string[] = [];
	if (place.file !== undefined) {
		let file = place.file;
		if (place.line !== undefined) file += `:${place.line}`;
		if (place.line !== undefined && place.column !== undefined) file += `:${place.column}`;
		parts.push(file);
	}
	if (place.key !== undefined) parts.push(`key ${place.key}`);
	if (place.offset !== undefined) parts.push(`offset 0x${place.offset.toString(16)}`);
	return parts.join(", ");
}

/** An error as a person reads it: `error[code]: message`, its place, its causes and what to do. No colours. */
export function renderError(error: unknown): string {
	if (!(error instanceof SkerryError)) {
		return `error[cli/internal]: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
	}
	const lines = [`error[${error.code}]: ${error.message}`];
	if (error.place !== undefined) lines.push(`  at ${renderPlace(error.place)}`);
	for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
		if (cause.message !== error.message) lines.push(`  because: ${cause.message}`);
	}
	if (error instanceof Trap) {
		for (const frame of error.frames.slice(0, FRAMES)) lines.push(`    in ${frame}`);
		if (error.frames.length > FRAMES) lines.push(`    … ${error.frames.length - FRAMES} more`);
	}
	if (error.hint !== undefined) lines.push(`  help: ${error.hint}`);
	return lines.join("\n");
}
