import { styleText } from "node:util";
import { CODES, renderError, SkerryError } from "../fault/mod.ts";
import { unwritable } from "./file-errors.ts";

type Style = Parameters<typeof styleText>[0];

/** Colours `text` where `stream` is a terminal that shows them; NO_COLOR and FORCE_COLOR are respected. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
	return styleText(style, text, { stream });
}

/** Text from strangers, with what would steer the terminal or turn the direction of writing shown as an escape. */
export function printable(text: string): string {
	return text.replaceAll(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** Shows an error on standard error. */
export function printError(error: unknown): void {
	const text = printable(renderError(error))
		.replace(/^error\[[^\]]*\]:/, (label) => paint(["red", "bold"], label, process.stderr))
		.replaceAll(/^ {2}(?:at|because:|help:)/gm, (label) => paint("cyan", label, process.stderr));
	process.stderr.write(`${text}\n`);
}

/** The process status for an error that reached the command line. */
export function exitStatusOf(error: unknown): number {
	return error instanceof SkerryError ? error.exitStatus : CODES["cli/internal"].exit;
}

/**
 * A reader that went away (`skerry … | head`) ends the output, not the program: a server goes on serving. So does one that cannot write to
 * its log any more, as on a full disk. What a command gives is another matter.
 * @throws SkerryError `cli/file-not-found`, uncaught: where standard output takes no more
 */
export function surviveOutput(): void {
	process.stderr.on("error", () => {});
	process.stdout.on("error", (error: NodeJS.ErrnoException) => {
		if (error.code !== "EPIPE") throw unwritable("to standard output", error);
	});
}
