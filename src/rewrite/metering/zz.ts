import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import { createRandomProgram } from "./random-program.fixture.ts";
import { LARGE } from "./large.fixture.ts";
import { CodeReader, decodeModule } from "../../wasm/mod.ts";
import { surveyCode } from "../survey.ts";
import { planChecks } from "./work.ts";
import { TestEngine } from "./engine.fixture.ts";
const { text } = createRandomProgram(2147483638);
for (const [what, bytes] of [
	["random", await parse(text)],
	...[10, 5000, 20000].map((n) => [`loops ${n}`, LARGE["loops in loops"]!(n)] as const),
] as [string, Uint8Array][]) {
	const m = decodeModule(bytes);
	if (what === "random") console.log(text);
	for (const x of ["trap", "yield", "fuel"] as const)
		try {
			const p = planChecks(m, surveyCode(m), new CodeReader(m.code), x === "yield");
			if (what === "random" || what === "loops 10") console.log(x, p.sites, p.contracts, p.bare);
			else
				console.log(
					what,
					x,
					p.sites.map((s) => s?.length),
					p.bare.map((b) => b?.reduce((a, c) => a + c, 0)),
				);
			new TestEngine().instantiate(bytes, x);
		} catch (e) {
			console.log(what, x, String(e));
		}
}
