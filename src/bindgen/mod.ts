/** TypeScript types of a world, from WIT text or from a component. Text only: nothing is run, and no file is read or written. */
export { printTypeScript, type Side } from "./typescript.ts";
export { readComponentWorld, readWorld, type WitPackage, type WitSource, type World } from "./wit-source.ts";
