import type { CommandModule } from "../command.ts";
export const inspectCommand: CommandModule = { describe(command) { command.argument("<file>"); }, async run() { return 0; } };
