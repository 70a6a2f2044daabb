import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { InputStream } from "../io/input-stream.ts";
import { defineInterface } from "./interface.ts";

export const cliStdin: HostInterface<WasiContext> = defineInterface("cli/stdin", {
	// Dropping a handle closes nothing: the guest can ask for another.
	"get-stdin": ({ stdin }) => new InputStream(stdin, () => {}),
});
