import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { TERMINAL_OUTPUT } from "./cli-terminal-output.ts";
import { defineInterface } from "./interface.ts";

export const cliTerminalStderr: HostInterface<WasiContext> = defineInterface("cli/terminal-stderr", {
	"get-terminal-stderr": ({ terminal }) => (terminal.stderr === true ? TERMINAL_OUTPUT : undefined),
});
