/** Plain services behind small interfaces: streams, files, clocks, random, HTTP. No knowledge of WebAssembly. */
export { BufferMeter } from "./buffer-meter.ts";
export { DeferredSink } from "./deferred-sink.ts";
export {
	FileFailure,
	type FileKind,
	type FileStatus,
	type FileTimes,
	type Folder,
	type FolderEntry,
	type OpenFile,
	type OpenOptions,
} from "./folder.ts";
export { openHostFolder } from "./host-folder.ts";
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
export { type BodySink, DiscardingSink } from "./http-sink.ts";
export { type BodySource, EMPTY_BODY, IncomingMessageSource } from "./http-source.ts";
export { createMonotonicClock, createWallClock, type MonotonicClock, type WallClock, type WallTime } from "./clocks.ts";
export { toLatin1 } from "./latin1.ts";
export { nodeHttp } from "./node-http.ts";
export { CollectingSink, createBytesSource, createNullSink } from "./memory-stream.ts";
export { createPipe, type Pipe } from "./pipe.ts";
export { createSecureRandom, createSeededRandom, type RandomSource } from "./random.ts";
export { createReadableSource } from "./readable-source.ts";
export { announcesTrailers, type ResponseHead, type ResponseOutlet, ResponseSink } from "./response-sink.ts";
export { Signal } from "./signal.ts";
export { type ByteSink, type ByteSource, StreamFailure, type Waitable } from "./stream.ts";
export { FileTooLong, readWholeFile } from "./whole-file.ts";
export { PassingSink } from "./passing-sink.ts";
export { TailSink } from "./tail-sink.ts";
export { atTurnEnd, type TurnEnding } from "./turn-end.ts";
export { createWritableSink } from "./writable-sink.ts";
