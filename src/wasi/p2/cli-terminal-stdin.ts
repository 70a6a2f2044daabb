import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { TERMINAL_INPUT } from "./cli-terminal-input.ts";
import { defineInterface } from "./interface.ts";

export const cliTerminalStdin: HostInterface<WasiContext> = defineInterface("cli/terminal-stdin", {
	"get-terminal-stdin": ({ terminal }) => (terminal.stdin === true ? TERMINAL_INPUT : undefined),
});
