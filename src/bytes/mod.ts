/** Bytes in and out: a cursor with absolute offsets, a writer, LEB128 and UTF-8. No knowledge of any format above them. */
export { Reader } from "./reader.ts";
export { decodeUtf8 } from "./utf8.ts";
export { Writer } from "./writer.ts";
