import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { OutputStream } from "../io/output-stream.ts";
import { defineInterface } from "./interface.ts";

export const cliStderr: HostInterface<WasiContext> = defineInterface("cli/stderr", {
	// Dropping a handle closes nothing: the guest can ask for another.
	"get-stderr": ({ stderr }) => new OutputStream(stderr, () => {}),
});
