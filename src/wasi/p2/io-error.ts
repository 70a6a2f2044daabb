import type { HostInterface } from "../../link/mod.ts";
import type { WasiContext } from "../context.ts";
import type { IoError } from "../io/io-error.ts";
import { defineInterface } from "./interface.ts";

export const ioError: HostInterface<WasiContext> = defineInterface(
	"io/error",
	{ "[method]error.to-debug-string": (_context, self: IoError): string => self.toDebugString() },
	{ error: {} },
);
