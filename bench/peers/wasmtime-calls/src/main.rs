//! What a call between Rust and a component costs in Wasmtime: `wasmtime-calls COMPONENT ROUNDS CALL…` prints, as JSON, the median
//! nanoseconds of each call. Cranelift at its best, typed functions (`TypedFunc::call`), without fuel, epochs or component-model-async.
use std::hint::black_box;
use std::time::Instant;
use wasmtime::component::{Component, ComponentNamedList, ComponentType, Instance, Lift, Linker, Lower, TypedFunc};
use wasmtime::{Config, Engine, Result, Store};

#[derive(Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct File {
    id: u32,
    size: u64,
    ratio: f64,
    open: bool,
    name: String,
}

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Pair {
    x: u32,
    y: u32,
}

/// Nanoseconds of a round.
const ROUND: u128 = 25_000_000;
const INTERFACE: &str = "bench:calls/all";
/// As `HOST_CALLS` of `calls.ts`.
const HOST_CALLS: u32 = 1000;

struct Bench {
    store: Store<usize>,
    instance: Instance,
    rounds: usize,
}

impl Bench {
    fn function<P, R>(&mut self, name: &str) -> Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let interface = self.instance.get_export_index(&mut self.store, None, INTERFACE);
        let index = self.instance.get_export_index(&mut self.store, interface.as_ref(), name);
        self.instance.get_typed_func(&mut self.store, index.expect("no such export"))
    }

    /// Median nanoseconds of `call`, after a tenth of a second that does not count.
    fn measure<R>(&mut self, mut call: impl FnMut(&mut Store<usize>) -> Result<R>) -> Result<f64> {
        let mut count = 1u32;
        let mut spent = 0;
        loop {
            let took = Self::turn(&mut self.store, &mut call, count)?;
            spent += took;
            if spent > 4 * ROUND && took > ROUND / 2 {
                break;
            }
            if took < ROUND / 2 {
                count *= 2;
            }
        }
        let mut times = Vec::new();
        for _ in 0..self.rounds {
            times.push(Self::turn(&mut self.store, &mut call, count)? as f64 / f64::from(count));
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    fn turn<R>(store: &mut Store<usize>, call: &mut impl FnMut(&mut Store<usize>) -> Result<R>, count: u32) -> Result<u128> {
        let started = Instant::now();
        for _ in 0..count {
            black_box(call(store)?);
        }
        Ok(started.elapsed().as_nanos())
    }

    /// A `give-…`: told how much, it gives so much.
    fn give<R: Lift + Send + Sync + 'static>(&mut self, name: &str, length: u32) -> Result<f64> {
        let function = self.function::<(u32,), (R,)>(name)?;
        self.measure(|store| function.call(store, (black_box(length),)))
    }

    /// A call that is named as in `calls.ts`, with its size after a colon where it has one.
    fn case(&mut self, call: &str) -> Result<f64> {
        let (name, size) = call.split_once(':').unwrap_or((call, "0"));
        let size: u32 = size.parse().expect("a size");
        let length = size as usize;
        match name {
            "add" => {
                let function = self.function::<(u32, u32), (u32,)>("add")?;
                self.measure(|store| function.call(store, (black_box(3), black_box(4))))
            }
            "describe" => {
                let function = self.function::<(&File,), (u32,)>("describe")?;
                let file = File { id: 7, size: 5, ratio: 0.5, open: true, name: "content-type-xyz".into() };
                self.measure(|store| function.call(store, (black_box(&file),)))
            }
            "takeString" => {
                let function = self.function::<(&str,), (u32,)>("take-string")?;
                let text = "a".repeat(length);
                self.measure(|store| function.call(store, (black_box(&text),)))
            }
            "takeBytes" => {
                let function = self.function::<(&[u8],), (u32,)>("take-bytes")?;
                let bytes = vec![97u8; length];
                self.measure(|store| function.call(store, (black_box(&bytes),)))
            }
            "takeWords" => {
                let function = self.function::<(&[u32],), (u32,)>("take-words")?;
                let words = vec![7u32; length];
                self.measure(|store| function.call(store, (black_box(&words),)))
            }
            "takePairs" => {
                let function = self.function::<(&[Pair],), (u32,)>("take-pairs")?;
                let pairs: Vec<Pair> = (0..size).map(|i| Pair { x: i, y: i * 3 }).collect();
                self.measure(|store| function.call(store, (black_box(&pairs),)))
            }
            "giveString" => self.give::<String>("give-string", size),
            "giveBytes" => self.give::<Vec<u8>>("give-bytes", size),
            "giveWords" => self.give::<Vec<u32>>("give-words", size),
            "givePairs" => self.give::<Vec<Pair>>("give-pairs", size),
            "adds" | "appends" | "passes" => {
                let function = self.instance.get_typed_func::<(u32,), (u32,)>(&mut self.store, name)?;
                Ok(self.measure(|store| function.call(store, (HOST_CALLS,)))? / f64::from(HOST_CALLS))
            }
            _ => panic!("there is no call {name}"),
        }
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [component, rounds, calls @ ..] = args.as_slice() else {
        panic!("usage: wasmtime-calls COMPONENT ROUNDS CALL…");
    };
    let mut config = Config::new();
    config.concurrency_support(false);
    let engine = Engine::new(&config)?;
    let component = Component::from_file(&engine, component)?;
    let mut linker = Linker::<usize>::new(&engine);
    linker.root().func_wrap("host-add", |_, (a, b): (u32, u32)| Ok((a.wrapping_add(b),)))?;
    linker.root().func_wrap("host-append", |mut cx, (name, value): (String, Vec<u8>)| {
        *cx.data_mut() = name.len() + value.len();
        Ok((Ok::<(), u32>(()),))
    })?;
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &component)?;
    let mut bench = Bench { store, instance, rounds: rounds.parse().expect("a number of rounds") };
    let mut figures = Vec::new();
    for call in calls {
        figures.push(format!("\"{call}\":{:.2}", bench.case(call)?));
    }
    println!("{{{}}}", figures.join(","));
    Ok(())
}
