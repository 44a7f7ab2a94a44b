//! Why a stack allocates: what the compiler said of its line, through calls that were inlined into another.
//!
//! The compiler tells of an allocation at the outermost call of those that it inlined; a profile has all of
//! them, each at its own line. So the frame is looked for that was compiled: the outermost of which the
//! compiler says, at its line, that all calls within were inlined.

use rustc_hash::FxHashMap;

use lastgasp_diagnosis::facts::Frame;

use super::line_words::reason_of;
use super::names::Function;
use super::places::{Line, Places};
use super::source::{Mismatch, Sources};
use crate::escapes::{Allocation, Inlined, Reason, Stays, Subject, Text};

/// Why a stack allocates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The reason.
    pub reason: Reason,
    /// What the compiler says of it; `None` where the reason is read off the source or the runtime alone.
    pub allocation: Option<Allocation>,
    /// Reasons of other allocations on the same line, which the profile cannot tell apart from it.
    pub others: Vec<Reason>,
    /// The frame that was compiled, an index into the stack: the calls before it were inlined into it.
    pub compiled_in: usize,
    /// What allocates, in a word: an expression, or a function of the runtime.
    pub what: String,
}

/// Why it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// The profile has no stack of it.
    NoStack,
    /// The line is not the one that is meant.
    Mismatch(Mismatch),
    /// Nothing was compiled of that package.
    NotCompiled,
    /// Nothing that the compiler or the line says allocates.
    NothingThere,
}

/// The compiler's text, by line.
pub(super) struct Index<'a> {
    places: &'a Places,
    sources: &'a Sources,
    allocations: FxHashMap<Line, Vec<&'a Allocation>>,
    inlined: FxHashMap<Line, Vec<&'a Inlined>>,
    stays: FxHashMap<Line, Vec<&'a Stays>>,
    compiled: rustc_hash::FxHashSet<&'a str>,
}

/// Bytes of a number that is put into an interface; of the smallest the runtime counts blocks of 16.
const WORDS: u64 = 16;
/// Calls that are believed to have been inlined into one another.
const MOST_INLINED: usize = 24;

/// Whether a frame is the runtime's own, or a function that it implements for another package:
/// `internal/bytealg.MakeNoZero` stands in `runtime/slice.go`, `reflect.unsafe_New` in `runtime/malloc.go`.
pub(super) fn is_of_runtime(frame: &Frame, at: &Line) -> bool {
    let of = |path: &str| path == "runtime" || path.starts_with("internal/runtime/");
    of(&at.package) || frame.function.starts_with("runtime.") || frame.function.starts_with("internal/runtime/")
}

impl<'a> Index<'a> {
    pub(super) fn new(text: &'a Text, places: &'a Places, sources: &'a Sources) -> Self {
        let mut index = Self {
            places,
            sources,
            allocations: FxHashMap::default(),
            inlined: FxHashMap::default(),
            stays: FxHashMap::default(),
            compiled: text.packages.iter().map(String::as_str).collect(),
        };
        for a in &text.allocations {
            index.allocations.entry(places.of_compiler(&a.package, &a.at.file, a.at.line)).or_default().push(a);
        }
        for i in &text.inlined {
            index.inlined.entry(places.of_compiler(&i.package, &i.at.file, i.at.line)).or_default().push(i);
        }
        for s in &text.stays {
            index.stays.entry(places.of_compiler(&s.package, &s.at.file, s.at.line)).or_default().push(s);
        }
        index
    }

    /// Why a stack allocates; `lines` are those of its frames, `size` the mean of its objects in bytes.
    pub(super) fn explain(&self, frames: &[Frame], lines: &[Line], size: u64) -> Result<Explained, Unexplained> {
        let mut first = 0;
        while frames.get(first).zip(lines.get(first)).is_some_and(|(f, l)| is_of_runtime(f, l))
            && first + 1 < frames.len()
        {
            first += 1;
        }
        let (Some(frame), Some(line)) = (frames.get(first), lines.get(first)) else { return Err(Unexplained::NoStack) };
        let function = Function::parse(&frame.function);
        let path = self.path(frame, line);
        let source = path.as_ref().map_or(Err(Mismatch::NoFile), |path| self.sources.line(path, line.line, &function));
        if let Err(mismatch) = &source
            && mismatch.is_of_another_version()
        {
            return Err(Unexplained::Mismatch(mismatch.clone()));
        }
        // The function of the runtime that allocates, where there is one between.
        if let Some(within) = first.checked_sub(1).and_then(|at| frames.get(at)) {
            let function = Function::parse(&within.function);
            let is_of_map = within.function.starts_with("internal/runtime/maps.");
            let reason = if is_of_map { Reason::MapGrowth } else { Reason::Runtime };
            return Ok(Explained {
                reason,
                allocation: None,
                others: Vec::new(),
                compiled_in: first,
                what: format!("{}.{}", function.package, function.name),
            });
        }
        let compiled_in = self.compiled_in(frames, lines, first);
        if let Some(mut found) = self.allocation(frames, lines, first, compiled_in) {
            // The compiler prints a sum that is put into an interface as it prints strings that are joined.
            if found.reason == Reason::Joined && size <= WORDS && Subject::may_be_a_sum(&found.what) {
                found.reason = Reason::Boxed;
            }
            // What the line may allocate for besides, and no compiler tells.
            if let Some(more) = source.as_ref().ok().and_then(|text| reason_of(text))
                && matches!(more, Reason::Growth | Reason::MapGrowth)
                && more != found.reason
                && !found.others.contains(&more)
            {
                found.others.push(more);
            }
            return Ok(found);
        }
        if let Some(found) = self.outgrown(lines, first, compiled_in) {
            return Ok(found);
        }
        if let Ok(text) = &source
            && let Some(reason) = reason_of(text)
        {
            return Ok(Explained { reason, allocation: None, others: Vec::new(), compiled_in, what: text.clone() });
        }
        let is_compiled = self.compiled.is_empty()
            || lines.iter().skip(first).take(MOST_INLINED).any(|l| self.compiled.contains(l.package.as_str()));
        Err(match (is_compiled, source) {
            (true, Err(mismatch)) if self.allocations.is_empty() => Unexplained::Mismatch(mismatch),
            (true, _) => Unexplained::NothingThere,
            (false, _) => Unexplained::NotCompiled,
        })
    }

    /// The file of a frame on this machine.
    pub(super) fn path(&self, frame: &Frame, line: &Line) -> Option<std::path::PathBuf> {
        self.places.path(line).or_else(|| {
            // Where no toolchain told where packages stand the name itself may do.
            let as_it_is = std::path::PathBuf::from(&frame.file);
            (self.places.packages().is_empty() && as_it_is.is_absolute() && as_it_is.is_file()).then_some(as_it_is)
        })
    }

    /// The frame that was compiled: the outermost into which all before it were inlined.
    fn compiled_in(&self, frames: &[Frame], lines: &[Line], first: usize) -> usize {
        let mut functions = Vec::new();
        let mut found = first;
        for at in first..frames.len().min(first + MOST_INLINED) {
            let (Some(frame), Some(line)) = (frames.get(at), lines.get(at)) else { break };
            if at > first {
                let calls = self.inlined.get(line);
                let is_inlined = |f: &Function| calls.is_some_and(|calls| calls.iter().any(|c| f.is_called(&c.callee)));
                if functions.iter().all(is_inlined) {
                    found = at;
                }
            }
            functions.push(Function::parse(&frame.function));
        }
        found
    }

    fn allocation(&self, frames: &[Frame], lines: &[Line], first: usize, compiled_in: usize) -> Option<Explained> {
        let of = |at: usize| lines.get(at).and_then(|l| self.allocations.get(l)).map_or(&[][..], Vec::as_slice);
        let calls = |at: usize| lines.get(at).and_then(|l| self.inlined.get(l)).map_or(&[][..], Vec::as_slice);
        let own = of(first);
        let mut found: Vec<&Allocation> = if compiled_in > first {
            // The call by which the innermost frame came to be here, and what is told at it.
            let function = frames.get(first).map(|f| Function::parse(&f.function)).unwrap_or_default();
            let columns: Vec<u32> =
                calls(compiled_in).iter().filter(|c| function.is_called(&c.callee)).map(|c| c.at.column).collect();
            let here: Vec<_> = of(compiled_in).iter().copied().filter(|a| columns.contains(&a.at.column)).collect();
            // Of all that was inlined at one call the line within says which is meant.
            let bare = |a: &Allocation| a.subject.rsplit('.').next().unwrap_or_default().to_owned();
            let of_line: Vec<_> = here.iter().copied().filter(|h| own.iter().any(|o| bare(o) == bare(h))).collect();
            if of_line.is_empty() { here } else { of_line }
        } else {
            // What is told of calls that were inlined here is of another frame.
            let columns: Vec<u32> = calls(first).iter().map(|c| c.at.column).collect();
            let here: Vec<_> = own.iter().copied().filter(|a| !columns.contains(&a.at.column)).collect();
            if here.is_empty() { own.to_vec() } else { here }
        };
        if found.is_empty() {
            found = own.to_vec();
        }
        let reason = |a: &Allocation| {
            let is_package = |name: &str| {
                [first, compiled_in].iter().any(|at| {
                    let path = frames.get(*at).zip(lines.get(*at)).and_then(|(f, l)| self.path(f, l));
                    path.is_some_and(|path| self.sources.imports(&path, name))
                })
            };
            Reason::of(a, &is_package)
        };
        // A variable or a literal rather than the small things that stand beside it on the same line.
        found.sort_by_key(|a| match Subject::of(&a.subject, a.is_variable) {
            Subject::Map | Subject::MakeSlice | Subject::Channel | Subject::Append => 0,
            Subject::Variable | Subject::Pointer | Subject::SliceLiteral => 1,
            Subject::Conversion | Subject::Concatenation => 2,
            Subject::Closure | Subject::Boxed => 3,
            Subject::Variadic => 4,
        });
        let (main, rest) = found.split_first()?;
        let mut others: Vec<_> = rest.iter().map(|a| reason(a)).collect();
        others.sort_unstable();
        others.dedup();
        Some(Explained {
            reason: reason(main),
            allocation: Some((*main).clone()),
            others,
            compiled_in,
            what: main.subject.clone(),
        })
    }

    /// What the compiler would have on the stack, and may all the same be too large for it.
    fn outgrown(&self, lines: &[Line], first: usize, compiled_in: usize) -> Option<Explained> {
        let of = |at: usize| lines.get(at).and_then(|l| self.stays.get(l)).map_or(&[][..], Vec::as_slice);
        let may = |s: &Stays| match Subject::of(&s.subject, false) {
            Subject::Append => Some(Reason::Growth),
            Subject::MakeSlice => Some(Reason::OutgrewStack),
            // One that is made with a size has it at once.
            Subject::Map if s.subject.contains(", ") => Some(Reason::OutgrewStack),
            Subject::Map => Some(Reason::MapGrowth),
            Subject::Conversion => Some(Reason::Converted),
            Subject::Concatenation => Some(Reason::Joined),
            _ => None,
        };
        let mut found = of(first).iter().chain(of(compiled_in)).filter_map(|s| Some((may(s)?, s)));
        let (reason, stays) = found.next()?;
        Some(Explained { reason, allocation: None, others: Vec::new(), compiled_in, what: stays.subject.clone() })
    }
}
