import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

/** What every handle stands for: it says that the stream is a terminal, and the interface has no functions yet. */
export const TERMINAL_INPUT: unique symbol = Symbol("terminal-input");

export const cliTerminalInput: HostInterface<WasiContext> = defineInterface(
	"cli/terminal-input",
	{},
	{ "terminal-input": {} },
);
