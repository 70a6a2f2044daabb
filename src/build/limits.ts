/** Components kept in a cache folder, the longest unused leaving first. Origin: one is 13 MB, and editing makes one per save. */
export const MAX_CACHED: number = 8;

/** Characters kept of what a build tool prints, the last ones. */
export const MAX_TOOL_OUTPUT: number = 64 * 1024;

/** Milliseconds that the top level of a script may run while its component is built. Origin: compiling the engine itself, the first time on a machine, takes 20 s. */
export const TOP_LEVEL_DEADLINE: number = 180_000;
