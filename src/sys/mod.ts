/** Plain services behind small interfaces: streams, clocks, random, HTTP. No knowledge of WebAssembly. */
export { type ByteSink, type ByteSource, StreamFailure, type Waitable } from "./stream.ts";
