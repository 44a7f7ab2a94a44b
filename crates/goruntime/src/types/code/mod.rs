//! What the program's own code says of types where no symbol and no debug information does: code that uses a
//! map hands the runtime the map's type, code that allocates the type of what it wants; and where the map
//! came from, and where the new object is put, stands in the same function.
//!
//! - `callees`: what the runtime's functions take and give.
//! - `values`, `flow`: one function, followed along all its ways.
//! - `library_calls`: functions of libraries that keep what no type tells of.
//! - `makers`: where values of a type are made, and such functions called.
//! - `methods`, `signature`: what is declared of the arguments and results of methods; `section`: types as
//!   the linker has them, one behind the other; `outers`: which of them begin with which.
//! - `frames`: what stands in the frames of calls that are under way ([`StackCalls`]).
//! - [`CodeTypes`]: all functions; what package variables lead to, what functions return, what stands in
//!   their frames, what closures capture.
//!
//! A variable has one type, which its uses must agree on: where two say different things, nothing is said.
//! The second word of an interface has none. Generic code takes types from dictionaries, and so says nothing.

mod callees;
mod flow;
mod frames;
mod functions;
mod library_calls;
mod local;
mod makers;
mod methods;
mod outers;
mod said;
mod section;
mod signature;
mod stack_calls;
#[cfg(test)]
mod tests;
mod values;

use std::rc::Rc;

use lastgasp_inferior::{Addr, AddrRange, Memory};
use rustc_hash::{FxHashMap, FxHashSet};

use flow::Flow;
pub use frames::{FrameSaid, FrameTypes};
use functions::{Functions, steps};
pub use library_calls::LibraryCall;
pub use local::WordPath;
use local::{Local, Returned};
pub use makers::{Makers, Makes};
use methods::Methods;
use outers::Outers;
pub use said::Said;
use section::Section;
pub use stack_calls::{CallId, StackCalls};

use crate::arch::{ARGUMENTS, Act, Place, Step};
use crate::runtime::Runtime;

/// Calls through which a result is followed.
const MAX_DEPTH: usize = 8;
/// Words of variables of which something is kept.
const MAX_CLAIMS: usize = 1 << 20;
/// Functions that are followed for their results or frames.
const MAX_FOLLOWED: usize = 1 << 16;

/// What a program's code says of types. Types are named by address; none was looked at.
pub struct CodeTypes {
    /// Where the module data of the program stands that it was read of.
    module: Addr,
    functions: Functions,
    /// What is said of words that are reached from package variables; more than one thing where code
    /// disagrees.
    words: FxHashMap<WordPath, Vec<Said>>,
    /// What functions return, by their entry.
    returned: FxHashMap<Addr, Option<Rc<[Returned; ARGUMENTS]>>>,
    followed: usize,
    /// The type of closures by where their code begins; `None` where code disagrees.
    closures: FxHashMap<Addr, Option<Addr>>,
    makers: Makers,
    methods: Methods,
    outers: Outers,
}

/// A process whose code is read.
type Of<'a> = (&'a Runtime, &'a dyn Memory);

/// What a part of the functions says.
#[derive(Default)]
struct Part {
    said: Vec<(WordPath, Said)>,
    /// Words that get a result of a function.
    results: Vec<(WordPath, Returned)>,
    /// Where the code of a closure begins, and its type.
    closures: Vec<(Addr, Addr)>,
    makers: Makers,
}

impl CodeTypes {
    /// Reads the code of all functions, two threads at once, and follows those that name package variables or
    /// make closures. It is the same for as long as the process lives. `mem` must have the program's code.
    #[must_use]
    pub fn read(rt: &Runtime, mem: &(dyn Memory + Sync)) -> Self {
        let (variables, pcs) = (rt.module.variables, rt.module.pcs);
        let mut functions = Functions::read(rt, mem);
        let types = Section::bytes(rt, mem);
        let section = Section::new(rt, &types);
        let (methods, outers) = (Methods::read(&section, &functions), Outers::read(&section));
        drop(types);
        functions.forget_names();
        let functions = functions;
        let all = functions.all();
        let work = |part: &[(Addr, u64)]| {
            let mut out = Part::default();
            for function in part {
                let Some(steps) = steps(rt, mem, *function) else { continue };
                out.makers.add(&steps, variables, |at| functions.callee(at));
                if !names_one_of(&steps, variables, pcs) {
                    continue;
                }
                if out.said.len().max(out.results.len()).max(out.closures.len()) >= MAX_CLAIMS {
                    break;
                }
                let Some(flow) = Flow::of(&steps, &|at| functions.callee(at), &FxHashSet::default()) else { continue };
                let mut local = Local::of(flow);
                local.words(variables, &mut out.said, &mut out.results);
                local.closures(pcs, &mut out.closures);
            }
            out
        };
        let (first, second) = all.split_at(middle(all));
        let parts = std::thread::scope(|scope| {
            let other = std::thread::Builder::new().spawn_scoped(scope, || work(second));
            let first = work(first);
            let second = match other.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(second)) => second,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(_) => work(second),
            };
            [first, second]
        });
        let mut code = Self {
            module: rt.module.at,
            functions,
            words: FxHashMap::default(),
            returned: FxHashMap::default(),
            followed: 0,
            closures: FxHashMap::default(),
            makers: Makers::default(),
            methods,
            outers,
        };
        let mut results = Vec::new();
        for mut part in parts {
            part.said.into_iter().for_each(|(path, said)| code.add(path, said));
            results.append(&mut part.results);
            code.makers.append(part.makers);
            for (at, of) in part.closures {
                let known = code.closures.entry(at).or_insert(Some(of));
                if *known != Some(of) {
                    *known = None;
                }
            }
        }
        // What only functions return is said by no use: a result never overrules one.
        let found: Vec<(WordPath, Said)> = results
            .into_iter()
            .filter_map(|(path, returned)| Some((path, code.value((rt, mem), &returned, 0)?)))
            .collect();
        found.into_iter().for_each(|(path, said)| code.add(path, said));
        code.makers.sort();
        code
    }

    /// Where values of a type are made; taken out, as nothing else here asks for it.
    pub fn take_makers(&mut self) -> Makers {
        std::mem::take(&mut self.makers)
    }

    /// Whether it is of this process's program.
    #[must_use]
    pub fn is_of(&self, rt: &Runtime) -> bool {
        self.module == rt.module.at
    }

    fn add(&mut self, path: WordPath, said: Said) {
        if self.words.len() < MAX_CLAIMS || self.words.contains_key(&path) {
            let all = self.words.entry(path).or_default();
            if !all.contains(&said) {
                all.push(said);
            }
        }
    }

    /// Closures by where their code begins: the type of the structure that the closure is, which begins with
    /// that address and goes on with what it captures.
    pub fn closures(&self) -> impl Iterator<Item = (Addr, Addr)> + '_ {
        let all = self.closures.iter().filter_map(|(at, of)| Some((*at, (*of)?)));
        all.filter(|(at, _)| self.functions.at(*at).is_some_and(|(entry, _)| entry == *at))
    }

    /// What is said of words that are reached from package variables, by address; more than one thing where
    /// code disagrees.
    #[must_use]
    pub fn words(&self) -> Vec<(&WordPath, &[Said])> {
        let mut all: Vec<_> = self.words.iter().map(|(path, said)| (path, said.as_slice())).collect();
        all.sort_unstable();
        all
    }

    /// Sizes of the types that begin with a value of a type (`as_array`: with several in a row), and whether
    /// they are without pointers: a pointer that is declared as one to the inner may lead to any of them.
    /// `None` where that is not known.
    #[must_use]
    pub fn around(&self, of: Addr, as_array: bool) -> Option<Vec<(u64, bool)>> {
        self.outers.around(of, as_array)
    }

    /// What stands in frames during calls that are under way.
    pub fn frames<'c>(&'c mut self, rt: &'c Runtime, mem: &'c dyn Memory, calls: &'c StackCalls) -> FrameTypes<'c> {
        FrameTypes::new(self, rt, mem, calls)
    }

    fn follow(&mut self, of: Of<'_>, function: (Addr, u64), wanted: &FxHashSet<Addr>) -> Option<Local> {
        self.followed += 1;
        if self.followed > MAX_FOLLOWED {
            return None;
        }
        let steps = steps(of.0, of.1, function)?;
        Flow::of(&steps, &|at| self.functions.callee(at), wanted).map(Local::of)
    }

    /// What a function returns as its n-th result.
    fn result(&mut self, of: Of<'_>, function: Addr, index: u8, depth: usize) -> Option<Said> {
        let returned = self.returned(of, function, index)?;
        self.value(of, &returned, depth)
    }

    /// The element of an array that a function makes for its n-th result, or a part of which it returns. What
    /// a variable has may be no array of its own.
    fn array_made(&mut self, of: Of<'_>, (function, index): (Addr, u8), depth: usize) -> Option<Addr> {
        match self.returned(of, function, index)? {
            Returned::Said(Said::Array(elem) | Said::Within(elem)) => Some(elem),
            Returned::Result(function, index) | Returned::BehindResult(function, index) if depth < MAX_DEPTH => {
                self.array_made(of, (function, index), depth + 1)
            }
            _ => None,
        }
    }

    fn returned(&mut self, of: Of<'_>, function: Addr, index: u8) -> Option<Returned> {
        let known = match self.returned.get(&function) {
            Some(known) => known.clone(),
            None => {
                let found = self.functions.at(function).filter(|(entry, _)| *entry == function);
                let local = found.and_then(|f| self.follow(of, f, &FxHashSet::default()));
                let returned = local.map(|local| Rc::new(local.results()));
                self.returned.insert(function, returned.clone());
                returned
            }
        };
        known.as_ref()?.get(usize::from(index)).cloned()
    }

    fn value(&mut self, of: Of<'_>, value: &Returned, depth: usize) -> Option<Said> {
        match value {
            Returned::Nothing => None,
            Returned::Said(Said::Unclear) => None,
            Returned::Said(said) => Some(*said),
            Returned::Word(path) => match self.words.get(path)?.as_slice() {
                [one] if !matches!(one, Said::Unclear | Said::Within(_)) => Some(*one),
                _ => None,
            },
            Returned::Result(function, index) if depth < MAX_DEPTH => self.result(of, *function, *index, depth + 1),
            Returned::BehindResult(function, index) if depth < MAX_DEPTH => {
                self.array_made(of, (*function, *index), depth + 1).map(Said::Within)
            }
            Returned::Result(..) | Returned::BehindResult(..) => None,
        }
    }
}

/// Whether a function names a variable, or where code stands, as it does to make a closure.
fn names_one_of(steps: &[Step], variables: AddrRange, code: AddrRange) -> bool {
    steps.iter().any(|step| match step.act {
        Act::Address { of: Place::Static(at), .. } if code.contains(at) => true,
        Act::Address { of: Place::Static(at), .. }
        | Act::Load { from: Place::Static(at), .. }
        | Act::Store { to: Place::Static(at), .. } => variables.contains(at),
        _ => false,
    })
}

/// How many functions have half of the code.
fn middle(all: &[(Addr, u64)]) -> usize {
    let total: u64 = all.iter().fold(0, |sum, (_, len)| sum.saturating_add(*len));
    let mut sum = 0u64;
    all.iter()
        .take_while(|(_, len)| {
            sum = sum.saturating_add(*len);
            sum <= total / 2
        })
        .count()
}
