/**
 * The one table of error codes. A code is stable: scripts and tests match it, never the message.
 * `exit` is the status with which the command line ends when the error reaches it (sysexits where one fits).
 */
export const CODES = {
	// Command line
	"cli/usage": { exit: 64, summary: "the command line is not understood" },
	"cli/file-not-found": { exit: 66, summary: "a named file or folder does not exist or cannot be read" },
	"cli/port-in-use": { exit: 69, summary: "the address to listen on is taken or not permitted" },
	"cli/internal": { exit: 70, summary: "an error of Skerry's own" },
	// Core and component binaries
	"binary/not-wasm": { exit: 65, summary: "the input is not WebAssembly" },
	"binary/core-module": { exit: 65, summary: "a core module where a component is due" },
	"binary/component": { exit: 65, summary: "a component where a core module is due" },
	"binary/truncated": { exit: 65, summary: "the input ends in the middle of an item" },
	"binary/malformed": { exit: 65, summary: "bytes that the binary format does not allow" },
	"binary/limit": { exit: 65, summary: "an implementation limit of the decoder is exceeded" },
	"binary/unsupported": { exit: 65, summary: "a feature that is not supported yet, by name" },
	"component/invalid": { exit: 65, summary: "a well-formed component that validation refuses" },
	"artefact/damaged": { exit: 65, summary: "a file of `skerry compile` that is not as it was written" },
	"core/invalid": { exit: 65, summary: "a core module that validation (ours or V8's) refuses" },
	// Linking
	"link/missing-imports": { exit: 65, summary: "imports that nothing provides, or of another type" },
	"link/unsupported": { exit: 65, summary: "a construct that this version cannot link, by name" },
	"link/graph": { exit: 65, summary: "components that cannot be linked with one another as asked" },
	"link/no-export": { exit: 65, summary: "the component does not export what the command needs" },
	"link/instantiation": { exit: 65, summary: "a core module cannot be instantiated as linked" },
	"wit/invalid": { exit: 65, summary: "WIT text that is not right" },
	// Calls from the host
	"call/bad-value": { exit: 65, summary: "a host value that does not have the component type" },
	"call/reentrant": { exit: 65, summary: "a call into a sandbox that is in another and cannot take a second" },
	"call/may-wait": { exit: 65, summary: "a call without a promise where the guest may wait" },
	// Guests
	"guest/trap": { exit: 134, summary: "the guest trapped" },
	"guest/killed": { exit: 137, summary: "the guest exceeded a limit" },
	// Grants
	"grant/denied": { exit: 77, summary: "the guest asked for something that it was not granted" },
	// Applications
	"app/manifest": { exit: 65, summary: "the manifest is not valid" },
	"build/failed": { exit: 65, summary: "the application's source does not build" },
	"build/tool-missing": { exit: 69, summary: "a build tool is not installed" },
	// Scripts
	"wast/malformed": { exit: 65, summary: "a test script that cannot be read" },
	// Embedding
	"engine/options": {
		exit: 64,
		summary: "options of `Engine`, `load` or `instantiate` that are not as they have to be",
	},
	"engine/verification": { exit: 70, summary: "a module that Skerry has rewritten wrongly: it is not run" },
	"engine/stop/watchdog": { exit: 71, summary: "the thread that stops guests in time cannot be had" },
	"engine/unsupported-platform": { exit: 69, summary: "the JavaScript engine lacks what Skerry needs" },
} as const;

export type Code = keyof typeof CODES;
