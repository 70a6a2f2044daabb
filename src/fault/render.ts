import { type Place, SkerryError, Trap, type TrapFrame } from "./error.ts";
import { isErrorOf, messageOf, stackOf } from "./thrown.ts";

/** Frames of a guest's stack that are shown. */
const FRAMES = 12;
/** Causes of an error that are shown. */
const CAUSES = 12;
/** Characters of a guest's name that are shown. */
const NAME_LENGTH = 160;

/** What a terminal or a log would obey, or hide, instead of showing it: control and format characters, separators of lines, half characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A name that a guest chose, safe to show: on one line, nothing hidden, and of bounded length. */
function renderName(name: string): string {
	const cut = name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH)}…` : name;
	return cut.replaceAll(UNPRINTABLE, toEscape);
}

function toEscape(character: string): string {
	return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** As above, but what joins characters into others is text, as are tabs; of format characters, only those that turn the direction of text. */
const DISOBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu;

/** A line that a guest wrote, safe to show: it stays one line, and no terminal obeys it. */
export function renderLine(line: string): string {
	return line.replaceAll(DISOBEYED, (character) => (character === "\t" ? character : toEscape(character)));
}

/** `parse (module app) at 0x1f4, in the component at 0x2a40`; offsets as `wasm-objdump` and `wasm-tools` count them. */
function renderFrame({ name, index, module, offset, moduleOffset, source }: TrapFrame): string {
	let text = name === undefined || name === "" ? `func[${index}]` : renderName(name);
	if (module !== undefined && module !== "") text += ` (module ${renderName(module)})`;
	if (source !== undefined) {
		const column = source.column === undefined ? "" : `:${source.column}`;
		text += ` at ${renderName(source.file)}:${source.line}${column},`;
	}
	if (offset === undefined) return text;
	text += ` at 0x${offset.toString(16)}`;
	// A module by itself is the whole file
	if (moduleOffset === undefined || moduleOffset === 0) return text;
	return `${text}, in the component at 0x${(moduleOffset + offset).toString(16)}`;
}

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

/** What the causes of an error say, each the cause of the one before. They may be anybody's: one in a circle, or no more than a getter that throws. */
function causesOf(error: Error): string[] {
	const seen = new Set<Error>();
	const messages: string[] = [];
	try {
		for (
			let { cause } = error;
			isErrorOf(cause, Error) && !seen.has(cause) && seen.size < CAUSES;
			cause = cause.cause
		) {
			seen.add(cause);
			messages.push(messageOf(cause));
		}
	} catch {
		// The rest cannot be had
	}
	return messages;
}

/** An error as a person reads it: `error[code]: message`, its place, its causes and what to do. No colours. */
export function renderError(error: unknown): string {
	if (!(error instanceof SkerryError)) {
		return `error[cli/internal]: ${stackOf(error)}`;
	}
	const lines = [`error[${error.code}]: ${error.message}`];
	if (error.place !== undefined) lines.push(`  at ${renderPlace(error.place)}`);
	for (const message of causesOf(error)) if (message !== error.message) lines.push(`  because: ${message}`);
	if (error instanceof Trap) {
		if (error.explanation !== undefined) lines.push(`  that is: ${error.explanation}`);
		for (const frame of error.frames.slice(0, FRAMES)) lines.push(`    in ${renderFrame(frame)}`);
		if (error.frames.length > FRAMES) lines.push(`    … ${error.frames.length - FRAMES} more`);
	}
	if (error.hint !== undefined) lines.push(`  help: ${error.hint}`);
	return lines.join("\n");
}
