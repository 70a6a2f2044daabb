/** The entry of the command line: what `bin/skerry.js` starts. */
import { runProgram } from "./program.ts";
import { exitStatusOf, surviveOutput, printError } from "./terminal.ts";

surviveOutput();
// The host's own frames are among them: V8's default of 10 would leave a guest that traps with hardly any.
Error.stackTraceLimit = 50;
process.on("uncaughtException", (error) => {
	printError(error);
	process.exit(exitStatusOf(error));
});
try {
	process.exitCode = await runProgram(process.argv.slice(2));
} catch (error) {
	printError(error);
	process.exitCode = exitStatusOf(error);
}
