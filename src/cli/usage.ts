import { Command, type ErrorOptions } from "commander";
import { nearest, SkerryError } from "../fault/mod.ts";
import { paint } from "./terminal.ts";

/** An error in how the command line was called. */
export function usageError(message: string, hint?: string): SkerryError {
	return new SkerryError("cli/usage", message, hint === undefined ? {} : { hint });
}

/** `commander` with our errors: coded, with a suggestion, thrown instead of printed. */
export class SkerryCommand extends Command {
	constructor(name: string) {
		super(name);
		this.exitOverride();
		this.showSuggestionAfterError(false);
		this.helpCommand(false);
		this.helpOption("-h, --help", "show this help");
		// `commander` takes the colours out again where the output shows none.
		this.configureHelp({ styleTitle: (title) => paint("bold", title) });
	}

	override createCommand(name: string): SkerryCommand {
		return new SkerryCommand(name);
	}

	override error(message: string, options?: ErrorOptions): never {
		const text = message.replace(/^error: /, "").replace(/\.$/, "");
		throw usageError(`Cannot read the command line: ${text}`, this.#suggest(text, options?.code));
	}

	#suggest(message: string, code: string | undefined): string {
		const path = this.parent === null ? this.name() : `${this.parent.name()} ${this.name()}`;
		const help = `\`${path} --help\` lists what there is`;
		if (code !== "commander.unknownOption") return help;
		const given = /'([^'=]*)/.exec(message)?.[1] ?? "";
		// Those that help does not list, too.
		const flags = ["--help", ...this.options.flatMap(({ long }) => long ?? [])];
		const meant = nearest(given, flags);
		if (meant !== undefined) return `did you mean ${meant}? ${help}`;
		const passesOn = this.registeredArguments.some(({ variadic }) => variadic);
		return passesOn ? `what is meant for the guest stands after --: -- ${given}; ${help}` : help;
	}
}
