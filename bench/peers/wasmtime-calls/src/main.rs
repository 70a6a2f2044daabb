//! What a call between Rust and a component costs in Wasmtime: `wasmtime-calls COMPONENT ROUNDS CALL…` prints, as JSON, the median
//! nanoseconds of each call in each of these ways:
//! - `typed`: typed functions (`TypedFunc::call`), which Rust specialises for their types, without fuel, epochs, limits or
//!   component-model-async: Cranelift at its best, and a guest that nobody can stop.
//! - `stoppable`: the same, but the guest can be stopped at any time (epochs, whose deadline is set before each call) and has a limit of
//!   memory, and the configuration is what it is by default, with component-model-async.
//! - `dynamic`: as `stoppable`, with values of which only the component says what they are (`Func::call` with `Val`s): what a host in another language does, and one that
//!   loads components which it has not seen before.
use std::hint::black_box;
use std::time::Instant;
use wasmtime::component::{Component, ComponentNamedList, ComponentType, Func, Instance, Lift, Linker, Lower, TypedFunc, Val};
use wasmtime::{Config, Engine, Result, Store, StoreLimits, StoreLimitsBuilder};

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

/// What a store holds.
struct Host {
    appended: usize,
    limits: StoreLimits,
}

struct Bench {
    store: Store<Host>,
    instance: Instance,
    rounds: usize,
    /// Whether its guests can be stopped.
    stoppable: bool,
}

impl Bench {
    fn function<P, R>(&mut self, name: &str) -> Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self.untyped(name);
        function.typed(&self.store)
    }

    fn untyped(&mut self, name: &str) -> Func {
        let interface = self.instance.get_export_index(&mut self.store, None, INTERFACE);
        let index = self.instance.get_export_index(&mut self.store, interface.as_ref(), name);
        self.instance.get_func(&mut self.store, index.expect("no such export")).expect("no function")
    }

    /// Median nanoseconds of `call`, after a tenth of a second that does not count.
    fn measure<R>(&mut self, mut call: impl FnMut(&mut Store<Host>) -> Result<R>) -> Result<f64> {
        let stoppable = self.stoppable;
        let mut call = move |store: &mut Store<Host>| {
            if stoppable {
                store.set_epoch_deadline(1);
            }
            call(store)
        };
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

    fn turn<R>(store: &mut Store<Host>, call: &mut impl FnMut(&mut Store<Host>) -> Result<R>, count: u32) -> Result<u128> {
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

    /// The same calls with values that nobody knows before. What the host gives is made once, what it gets anew each time.
    fn dynamic(&mut self, call: &str) -> Result<f64> {
        let (name, size) = call.split_once(':').unwrap_or((call, "0"));
        let size: u32 = size.parse().expect("a size");
        let length = size as usize;
        let list = |value: Val| Val::List(vec![value; length]);
        let (name, args) = match name {
            "add" => ("add", vec![Val::U32(3), Val::U32(4)]),
            "describe" => {
                let fields = [
                    ("id", Val::U32(7)),
                    ("size", Val::U64(5)),
                    ("ratio", Val::Float64(0.5)),
                    ("open", Val::Bool(true)),
                    ("name", Val::String("content-type-xyz".into())),
                ];
                ("describe", vec![Val::Record(fields.map(|(name, value)| (name.into(), value)).into())])
            }
            "takeString" => ("take-string", vec![Val::String("a".repeat(length))]),
            "takeBytes" => ("take-bytes", vec![list(Val::U8(97))]),
            "takeWords" => ("take-words", vec![list(Val::U32(7))]),
            "takePairs" => {
                let pair = |i| Val::Record(vec![("x".into(), Val::U32(i)), ("y".into(), Val::U32(i * 3))]);
                ("take-pairs", vec![Val::List((0..size).map(pair).collect())])
            }
            "giveString" => ("give-string", vec![Val::U32(size)]),
            "giveBytes" => ("give-bytes", vec![Val::U32(size)]),
            "giveWords" => ("give-words", vec![Val::U32(size)]),
            "givePairs" => ("give-pairs", vec![Val::U32(size)]),
            "adds" | "appends" | "passes" => {
                let function = self.instance.get_func(&mut self.store, name).expect("no function");
                let mut results = [Val::Bool(false)];
                let each = self.measure(|store| function.call(store, &[Val::U32(HOST_CALLS)], &mut results))?;
                return Ok(each / f64::from(HOST_CALLS));
            }
            _ => panic!("there is no call {name}"),
        };
        let function = self.untyped(name);
        self.measure(|store| {
            let mut results = [Val::Bool(false)];
            function.call(store, black_box(&args), &mut results)?;
            Ok(results)
        })
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

/// A new store with the component in it, and a host whose functions have types, or take values.
fn load(file: &str, rounds: usize, stoppable: bool, dynamic: bool) -> Result<Bench> {
    let mut config = Config::new();
    if stoppable {
        config.epoch_interruption(true);
    } else {
        config.concurrency_support(false);
    }
    let engine = Engine::new(&config)?;
    let component = Component::from_file(&engine, file)?;
    let mut linker = Linker::<Host>::new(&engine);
    let mut root = linker.root();
    if dynamic {
        root.func_new("host-add", |_, _, args, results| {
            let [Val::U32(a), Val::U32(b)] = args else { panic!("not two numbers") };
            results[0] = Val::U32(a.wrapping_add(*b));
            Ok(())
        })?;
        root.func_new("host-append", |mut cx, _, args, results| {
            let [Val::String(name), Val::List(value)] = args else { panic!("not a string and a list") };
            cx.data_mut().appended = name.len() + value.len();
            results[0] = Val::Result(Ok(None));
            Ok(())
        })?;
    } else {
        root.func_wrap("host-add", |_, (a, b): (u32, u32)| Ok((a.wrapping_add(b),)))?;
        root.func_wrap("host-append", |mut cx, (name, value): (String, Vec<u8>)| {
            cx.data_mut().appended = name.len() + value.len();
            Ok((Ok::<(), u32>(()),))
        })?;
    }
    let limits = StoreLimitsBuilder::new().memory_size(1 << 30).build();
    let mut store = Store::new(&engine, Host { appended: 0, limits });
    if stoppable {
        store.limiter(|host| &mut host.limits);
        store.set_epoch_deadline(1);
    }
    let instance = linker.instantiate(&mut store, &component)?;
    Ok(Bench { store, instance, rounds, stoppable })
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [component, rounds, calls @ ..] = args.as_slice() else {
        panic!("usage: wasmtime-calls COMPONENT ROUNDS CALL…");
    };
    let rounds = rounds.parse().expect("a number of rounds");
    let mut figures = Vec::new();
    for call in calls {
        let typed = load(component, rounds, false, false)?.case(call)?;
        let stoppable = load(component, rounds, true, false)?.case(call)?;
        let dynamic = load(component, rounds, true, true)?.dynamic(call)?;
        figures.push(format!(
            "\"{call}\":{{\"typed\":{typed:.2},\"stoppable\":{stoppable:.2},\"dynamic\":{dynamic:.2}}}"
        ));
    }
    println!("{{{}}}", figures.join(","));
    Ok(())
}
