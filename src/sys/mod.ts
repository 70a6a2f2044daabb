/** Plain services behind small interfaces: streams, clocks, random, HTTP. No knowledge of WebAssembly. */
export { BufferMeter } from "./buffer-meter.ts";
export { DeferredSink } from "./deferred-sink.ts";
export {
	createHttpClient,
	type HttpClient,
	type HttpClientOptions,
	type HttpClientResponse,
	type HttpExchange,
	type HttpTimeouts,
} from "./http-client.ts";
export { DiskStore, type DiskStoreOptions } from "./disk-store.ts";
export { HttpFailure, type HttpFailureKind } from "./http-failure.ts";
export { type BodySink, DiscardingSink, OutgoingMessageSink } from "./http-sink.ts";
export { type BodySource, IncomingMessageSource } from "./http-source.ts";
export { createMonotonicClock, createWallClock, type MonotonicClock, type WallClock, type WallTime } from "./clocks.ts";
export { CollectingSink, createBytesSource, createNullSink } from "./memory-stream.ts";
export { createPipe, type Pipe } from "./pipe.ts";
export { createSecureRandom, createSeededRandom, type RandomSource } from "./random.ts";
export { createReadableSource } from "./readable-source.ts";
export { Signal } from "./signal.ts";
export { type ByteSink, type ByteSource, StreamFailure, type Waitable } from "./stream.ts";
export { createWritableSink } from "./writable-sink.ts";
