import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { TERMINAL_OUTPUT } from "./cli-terminal-output.ts";
import { defineInterface } from "./interface.ts";

export const cliTerminalStdout: HostInterface<WasiContext> = defineInterface("cli/terminal-stdout", {
	"get-terminal-stdout": ({ terminal }) => (terminal.stdout === true ? TERMINAL_OUTPUT : undefined),
});
