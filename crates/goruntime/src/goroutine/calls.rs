//! From physical frames to the calls that Go prints: inlining undone, wrappers marked. Source:
//! `runtime/traceback.go` (`traceback2`, `printcreatedby1`).

use std::ops::Deref;
use std::sync::Arc;

use lastgasp_inferior::Addr;
use rustc_hash::FxHashMap;

use super::unwind::Step;
use crate::binary::pclntab::{Frame, Symbolizer};

/// One call on a goroutine's stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// Function, file and line.
    pub frame: Frame,
    /// The instruction, one address for all calls that are inlined into each other there.
    pub pc: Addr,
    /// How far the program counter is from the function's entry; `None` for inlined calls and at the entry
    /// itself.
    pub offset: Option<u64>,
    /// Inlined into the next call.
    pub inlined: bool,
    /// It takes arguments.
    pub arguments: bool,
    /// The compiler made it, and Go's tracebacks hide it.
    pub elided: bool,
    /// On the stack of the thread (`g0`), not of the goroutine: the runtime at work for it.
    pub system: bool,
}

impl Deref for Call {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        &self.frame
    }
}

/// A place in the code where a goroutine was started, or where its starter stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallSite {
    /// Where it stands in the source.
    pub frame: Frame,
    /// The function that it was compiled into, as Go prints it: another one where it was inlined.
    pub function: String,
    /// From that function's entry to the program counter.
    pub offset: Option<u64>,
}

impl CallSite {
    /// Bytes that it takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.frame.function.len() + self.frame.file.len() + self.function.len()
    }
}

impl Deref for CallSite {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        &self.frame
    }
}

/// Makes calls of physical frames; equal ones give one and the same list.
pub(crate) struct Expander<'a, 'b> {
    symbols: &'a Symbolizer<'b>,
    known: FxHashMap<Vec<Step>, Arc<[Call]>>,
}

impl<'a, 'b> Expander<'a, 'b> {
    pub(crate) fn new(symbols: &'a Symbolizer<'b>) -> Self {
        Self { symbols, known: FxHashMap::default() }
    }

    /// `None` where `room` has not enough bytes left for calls that were not met before.
    pub(crate) fn calls(&mut self, steps: Vec<Step>, room: &mut usize) -> Option<Arc<[Call]>> {
        if let Some(known) = self.known.get(&steps) {
            return Some(Arc::clone(known));
        }
        *room = room.checked_sub(size_of_val(steps.as_slice()))?;
        let mut out = Vec::with_capacity(steps.len());
        // A wrapper that called a panic is shown (`elideWrapperCalling`).
        let mut callee_panics = false;
        for step in &steps {
            let Some(place) = self.symbols.place(step.pc, step.exact) else { continue };
            for l in &place.logical {
                let size = size_of::<Call>() + l.frame.function.len() + l.frame.file.len();
                *room = room.checked_sub(size)?;
                let offset = step.pc.0.checked_sub(place.entry.0).filter(|o| *o > 0 && !l.inlined);
                out.push(Call {
                    frame: l.frame.clone(),
                    pc: place.logical.first().map_or(step.pc, |first| first.pc),
                    offset,
                    inlined: l.inlined,
                    arguments: l.arguments,
                    elided: l.wrapper && !callee_panics,
                    system: step.system,
                });
                callee_panics =
                    matches!(l.frame.function.as_str(), "runtime.gopanic" | "runtime.sigpanic" | "runtime.panicwrap");
            }
        }
        let out: Arc<[Call]> = out.into();
        self.known.insert(steps, Arc::clone(&out));
        Some(out)
    }
}

/// The call at a program counter that is taken as it is.
pub(crate) fn call_at(symbols: &Symbolizer<'_>, pc: Addr) -> Option<CallSite> {
    site(symbols, pc, true)
}

/// The `go` statement whose call returns to `gopc`; 0 for the first goroutine.
#[must_use]
pub fn created_by(symbols: &Symbolizer<'_>, gopc: Addr) -> Option<CallSite> {
    site(symbols, gopc, false)
}

fn site(symbols: &Symbolizer<'_>, pc: Addr, exact: bool) -> Option<CallSite> {
    let place = symbols.place(pc, exact)?;
    Some(CallSite {
        frame: place.logical.first()?.frame.clone(),
        function: place.logical.last()?.frame.function.clone(),
        offset: pc.0.checked_sub(place.entry.0).filter(|o| *o > 0),
    })
}
