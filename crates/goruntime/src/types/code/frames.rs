//! What stands in the frames of calls under way: what the function itself says of it, what is declared of a
//! method's arguments, and else what the function around it has called it with, which is asked for alike.
//! Nothing but a call that is there is followed, and so whatever calls a function elsewhere says nothing.

use lastgasp_inferior::{Addr, Memory};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::TypeReader;
use super::CodeTypes;
use super::flow::AtCall;
use super::local::{Local, Own, Returned};
use super::said::Said;
use super::signature::Signature;
use super::stack_calls::{CallId, StackCalls};
use super::values::{Origin, Value};
use crate::runtime::Runtime;

/// Calls that hand one argument on, from the innermost outwards.
const MAX_HANDED_ON: usize = 32;
/// Steps from call to call, all together: a recursion may be deep, and on many stacks.
const MAX_STEPS: usize = 1 << 22;
/// Loads behind loads, through calls.
const MAX_DEPTH: usize = 8;

/// A word of a frame, as code has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSaid {
    /// Bytes from where the frame's return address stands.
    pub slot: i32,
    /// What the word is.
    pub said: Said,
    /// Whether that is only what it is declared as: it may lead to the first part of something larger.
    pub is_declared: bool,
    /// Of a slice or string: where its length stands in the frame, if it does.
    pub length: Option<i32>,
}

/// What code says of words in frames.
pub struct FrameTypes<'c> {
    code: &'c mut CodeTypes,
    rt: &'c Runtime,
    mem: &'c dyn Memory,
    calls: &'c StackCalls,
    types: TypeReader<'c>,
    /// Where calls under way return to.
    wanted: FxHashSet<Addr>,
    functions: FxHashMap<Addr, Option<Function>>,
    known: FxHashMap<CallId, Vec<FrameSaid>>,
    steps: usize,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    said: Said,
    /// By a declaration, and not by who made it.
    is_declared: bool,
}

impl Known {
    fn declared(said: Said) -> Self {
        Self { said, is_declared: true }
    }

    fn made(said: Said) -> Self {
        Self { said, is_declared: false }
    }
}

struct Function {
    local: Local,
    signature: Signature,
    /// The type of the structure of the closure that it is.
    closure: Option<Addr>,
    /// By where they return to.
    calls: FxHashMap<Addr, usize>,
}

impl<'c> FrameTypes<'c> {
    pub(super) fn new(code: &'c mut CodeTypes, rt: &'c Runtime, mem: &'c dyn Memory, calls: &'c StackCalls) -> Self {
        let wanted = calls.all_returns();
        Self {
            code,
            rt,
            mem,
            calls,
            types: TypeReader::new(rt, mem),
            wanted,
            functions: FxHashMap::default(),
            known: FxHashMap::default(),
            steps: 0,
        }
    }

    /// What stands in a frame during a call, as far as something is said of it; by slot.
    pub fn of(&mut self, call: CallId) -> &[FrameSaid] {
        if !self.known.contains_key(&call) {
            let found = self.find(call).unwrap_or_default();
            self.known.insert(call, found);
        }
        self.known.get(&call).map(Vec::as_slice).unwrap_or_default()
    }

    fn find(&mut self, call: CallId) -> Option<Vec<FrameSaid>> {
        let entry = self.function_of(call)?;
        let slots = self.at_call(entry, call)?.slots.clone();
        let mut found = Vec::new();
        for (slot, value) in &slots {
            let Some(Known { said, is_declared }) = self.value(call, *value, 0) else { continue };
            let local = &mut self.functions.get_mut(&entry)?.as_mut()?.local;
            let place = |value: Value| slots.iter().find(|(_, v)| *v == value).map(|(slot, _)| *slot);
            let length = local.behind(*value).and_then(place);
            found.push(FrameSaid { slot: *slot, said, is_declared, length });
        }
        Some(found)
    }

    /// Where the function begins in whose frame a call is made; it is followed then.
    fn function_of(&mut self, call: CallId) -> Option<Addr> {
        let pc = Addr(self.calls.returns_to(call)?.0.checked_sub(1)?);
        let (entry, len) = self.code.functions.at(pc)?;
        if !self.functions.contains_key(&entry) {
            let local = self.code.follow((self.rt, self.mem), (entry, len), &self.wanted);
            let function = local.map(|local| Function {
                signature: self.signature(entry),
                closure: self.code.closures.get(&entry).copied().flatten(),
                calls: local.frames().iter().enumerate().map(|(i, at)| (at.returns_to, i)).collect(),
                local,
            });
            self.functions.insert(entry, function);
        }
        Some(entry)
    }

    fn function(&self, entry: Addr) -> Option<&Function> {
        self.functions.get(&entry)?.as_ref()
    }

    fn at_call(&self, entry: Addr, call: CallId) -> Option<&AtCall> {
        let function = self.function(entry)?;
        let index = function.calls.get(&self.calls.returns_to(call)?)?;
        function.local.frames().get(*index)
    }

    /// What is declared of a function.
    fn signature(&mut self, entry: Addr) -> Signature {
        let method = self.code.methods.get(entry);
        method.map(|m| Signature::of_method(&mut self.types, m.receiver, m.signature)).unwrap_or_default()
    }

    /// What a value in a function is during a call that it makes.
    fn value(&mut self, call: CallId, value: Value, depth: usize) -> Option<Known> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (mut call, mut value) = (call, value);
        // What the functions on the way have it declared as.
        let mut so_far: Option<Known> = None;
        for _ in 0..MAX_HANDED_ON {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return None;
            }
            let entry = self.function_of(call)?;
            let Some(local) = self.function(entry).map(|f| &f.local) else { return so_far };
            match (local.origin(value), local.own(value)) {
                (_, Own::Interface | Own::Unclear) => return None,
                (Some(Origin::Argument(n)), own) => {
                    let declared = self.function(entry)?.signature.argument(n).map(Known::declared);
                    let own = match own {
                        Own::Said(said) => Some(Known::made(said)),
                        _ => None,
                    };
                    so_far = agreed(so_far, declared.or(own))?;
                    // Whether it is a part of something larger who called it may know.
                    if so_far.is_some_and(|known| matches!(known.said, Said::Map(_) | Said::Chan(_) | Said::Func)) {
                        return so_far;
                    }
                    match self.handed_over(call, entry, n) {
                        Some(next) => (call, value) = next,
                        None => return so_far,
                    }
                }
                (_, Own::Said(said)) => return agreed(so_far, Some(Known::made(said)))?,
                (origin, Own::Nothing) => {
                    let known = origin.and_then(|origin| self.of_origin(call, entry, (value, origin), depth));
                    return agreed(so_far, known)?;
                }
            }
        }
        so_far
    }

    /// The value with which a function was called that is in the midst of a call itself, and in which call.
    fn handed_over(&mut self, call: CallId, entry: Addr, argument: u8) -> Option<(CallId, Value)> {
        let around = self.calls.around(call)?;
        let caller = self.function_of(around)?;
        let at = self.at_call(caller, around)?;
        // A function that jumps to another hands over what is not looked at.
        if at.target.is_some_and(|target| target != entry) {
            return None;
        }
        let value = at.arguments.get(usize::from(argument)).copied().filter(|v| v.is_known())?;
        Some((around, value))
    }

    /// What a value is by where its function has it from, if that is no argument.
    fn of_origin(
        &mut self,
        call: CallId,
        entry: Addr,
        (value, origin): (Value, Origin),
        depth: usize,
    ) -> Option<Known> {
        let returned = self.function(entry)?.local.returned(value);
        let known = self.code.value((self.rt, self.mem), &returned, 0).map(Known::made);
        match origin {
            Origin::Context => self.function(entry)?.closure.map(|of| Known::made(Said::Pointer(of))),
            Origin::Result { .. } => {
                let Returned::Result(function, index) = returned else { return known };
                let declared = self.signature(function).result(index).map(Known::declared);
                agreed(declared, known)?
            }
            Origin::Loaded { from, offset } if known.is_none() => {
                let from = self.value(call, from, depth + 1)?;
                self.word(from.said, offset).map(Known::declared)
            }
            _ => known,
        }
    }

    /// The word so many bytes behind where another leads.
    fn word(&mut self, from: Said, offset: i32) -> Option<Said> {
        let offset = u64::try_from(offset).ok()?;
        let (of, is_one) = match from {
            Said::Pointer(of) => (of, true),
            Said::Array(of) | Said::Slice(of) | Said::Within(of) | Said::Memory(of) => (of, false),
            _ => return None,
        };
        let size = self.types.get(of).filter(|_| self.types.is_static(of))?.size;
        if is_one && offset >= size {
            return None;
        }
        self.types.word_at(of, offset).and_then(Said::of_word)
    }
}

/// What a value is that is declared as one thing where it is used, and known as another where it comes from;
/// `None` where both cannot be.
#[expect(clippy::option_option, reason = "whether they agree, and on what")]
fn agreed(declared: Option<Known>, known: Option<Known>) -> Option<Option<Known>> {
    let (Some(here), Some(there)) = (declared, known) else { return Some(known.or(declared)) };
    let fits = match (here.said, there.said) {
        (one, other) if one == other => true,
        (Said::Slice(one) | Said::Array(one) | Said::Within(one), Said::Slice(other)) => one == other,
        (Said::Slice(one), Said::Array(other) | Said::Within(other)) => one == other,
        // Of whom has its first field, or a slice of all of it, only who has the whole knows.
        (Said::Pointer(_) | Said::Slice(_), Said::Pointer(_) | Said::Memory(_)) => true,
        _ => false,
    };
    let better = if here.is_declared { there } else { here };
    fits.then_some(Some(better))
}
