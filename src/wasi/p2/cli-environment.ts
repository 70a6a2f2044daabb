import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import { defineInterface } from "./interface.ts";

export const cliEnvironment: HostInterface<WasiContext> = defineInterface("cli/environment", {
	"get-environment": ({ env }) => Object.entries(env),
	"get-arguments": ({ args }) => args,
	"initial-cwd": ({ initialCwd }) => initialCwd,
});
