import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { OutputStream } from "../io/output-stream.ts";
import { defineInterface } from "./interface.ts";

export const cliStdout: HostInterface<WasiContext> = defineInterface("cli/stdout", {
	// Dropping a handle closes nothing: the guest can ask for another.
	"get-stdout": ({ stdout }) => new OutputStream(stdout, () => {}),
});
