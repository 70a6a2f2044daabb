import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

/** What every handle stands for: it says that the stream is a terminal, and the interface has no functions yet. */
export const TERMINAL_OUTPUT: unique symbol = Symbol("terminal-output");

export const cliTerminalOutput: HostInterface<WasiContext> = defineInterface(
	"cli/terminal-output",
	{},
	{ "terminal-output": {} },
);
