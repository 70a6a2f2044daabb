import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { componentWit, parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { decodeComponent } from "../decode.ts";
import { validateComponent } from "../validate.ts";
import { printWit, type WitOptions } from "./print.ts";

const SUITES = new URL("../../../../shared/suites/", import.meta.url).pathname;

function witOf(bytes: Uint8Array, options?: WitOptions): string {
	return printWit(validateComponent(decodeComponent(bytes)), options);
}

test("a world with interfaces, types of each kind and functions", async () => {
	const bytes = await parse(`(component
		(import "wasi:io/error@0.2.3" (instance $error (export "error" (type (sub resource)))))
		(alias export $error "error" (type $error))
		(import "wasi:io/streams@0.2.3" (instance $streams
			(alias outer 1 $error (type $outer))
			(export "error" (type $error (eq $outer)))
			(export "in" (type $in (sub resource)))
			(type $fault' (variant (case "failed" (own $error)) (case "closed")))
			(export "fault" (type $fault (eq $fault')))
			(type $flags' (flags "a" "b"))
			(export "flags" (type $flags (eq $flags')))
			(type $size' u64)
			(export "size" (type $size (eq $size')))
			(export "[constructor]in" (func (param "size" $size) (result (own $in))))
			(export "[method]in.read" (func async (param "self" (borrow $in)) (param "len" $size) (result (result (list u8) (error $fault)))))
			(export "[static]in.make" (func (result (own $in))))
			(export "other" (func (param "x" (option (tuple char bool))) (result (result (error $flags)))))))
		(alias export $streams "in" (type $in))
		(import "use-it" (func (param "from" (borrow $in)) (result (stream u8)))))`);
	assert.equal(
		witOf(bytes, { full: true, world: "list" }),
		`world %list {
  use wasi:io/streams@0.2.3.{in};

  import wasi:io/error@0.2.3;
  import wasi:io/streams@0.2.3;
  import use-it: func(%from: borrow<in>) -> stream<u8>;
}

package wasi:io@0.2.3 {
  interface error {
    resource error;
  }

  interface streams {
    use error.{error};

    resource in {
      constructor(size: size);
      read: async func(len: size) -> result<list<u8>, fault>;
      make: static func() -> in;
    }

    variant fault {
      failed(error),
      closed,
    }

    flags %flags {
      a,
      b,
    }

    type size = u64;
    other: func(x: option<tuple<char, bool>>) -> result<_, %flags>;
  }
}
`,
	);
});

test("interfaces without a package stand in the world", async () => {
	const bytes = await parse(`(component
		(import "host" (instance $h (type $e' (enum "x" "y")) (export "e" (type $e (eq $e'))) (export "f" (func (result $e)))))
		(import "empty" (instance))
		(import "c" (component))
		(alias export $h "f" (func $f))
		(export "api" (instance $h)))`);
	const item = `interface {
    enum e {
      x,
      y,
    }

    f: func() -> e;
  }`;
	const exported = `interface {
    use host.{e};

    f: func() -> e;
  }`;
	assert.equal(
		witOf(bytes),
		`world root {\n  import host: ${item}\n\n  import empty: interface {}\n  // import c: component, which WIT has no form for\n\n  export api: ${exported}\n}\n`,
	);
});

test(
	"real components have the imports and exports that wasm-tools sees",
	{ skip: existsSync(SUITES) ? false : `test data absent: ${SUITES}` },
	async () => {
		const files = globSync(`${SUITES}{runtime-types,http,p3}/**/*.wasm`);
		let compared = 0;
		for (const file of files) {
			const bytes = readFileSync(file);
			const lines = (wit: string): readonly string[] =>
				wit
					.split("\n")
					.map((line) => line.trim())
					.filter((line) => /^(?:import|export|use) |func|^(?:resource|record|variant|flags|enum|type) /.test(line))
					.sort();
			let reference: string;
			try {
				reference = await componentWit(bytes);
			} catch {
				continue;
			}
			assert.deepEqual(lines(witOf(bytes)), lines(reference), file);
			compared++;
		}
		assert.ok(compared > 50, `${compared} of ${files.length} components were compared`);
	},
);
