import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { GuestExit } from "../exit.ts";
import type { Result } from "../result.ts";
import { defineInterface } from "./interface.ts";

export const cliExit: HostInterface<WasiContext> = defineInterface("cli/exit", {
	exit: (_context, status: Result<undefined, undefined>) => {
		throw new GuestExit(status.tag === "ok" ? 0 : 1);
	},
	"exit-with-code": (_context, code: number) => {
		throw new GuestExit(code);
	},
});
