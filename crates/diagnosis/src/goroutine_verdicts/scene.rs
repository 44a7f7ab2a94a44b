//! What the causes look at: blocked goroutines with their stacks, what they wait for, and who seems to hold
//! it.

use std::collections::HashMap;

use crate::facts::{
    BlockedGoroutine, BlockedGoroutines, Facts, Frame, GoroutineState, ReferrerPlace, Wait, WaitObject, WaitOperation,
};
use crate::owner::is_standard_library;
use crate::waits::is_of_the_wait;

use super::holds::Holds;

/// What goroutines of one kind have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct KindView<'a> {
    /// Functions on their stack, innermost first.
    pub(super) stack: Vec<&'a Frame>,
    /// The innermost function of the program, else of a library, that is not of the wait itself.
    pub(super) at: Option<&'a Frame>,
    /// Their `go` statement.
    pub(super) created_by: Option<&'a Frame>,
    /// Why they wait, as Go names it.
    pub(super) reason: &'a str,
    /// Whether they run, or could.
    pub(super) runs: bool,
    /// Whether the stack was read, to its end.
    pub(super) whole: bool,
    /// Bytes of the stack of each.
    pub(super) stack_bytes: u64,
    /// How many of them their own tickers wake, each for itself alone.
    pub(super) for_themselves: u64,
}

impl KindView<'_> {
    /// Whether a function whose name begins so is on the stack.
    pub(super) fn is_in(&self, function: &str) -> bool {
        self.stack.iter().any(|f| f.function.starts_with(function))
    }

    /// The function that they began in.
    pub(super) fn starts(&self) -> &str {
        let first = self.stack.iter().rev().find(|f| !f.function.starts_with("runtime."));
        first.map_or("", |f| f.function.as_str())
    }
}

/// A blocked goroutine with its stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// The observation.
    pub(super) g: &'a BlockedGoroutine,
    /// Its stack; empty where it is not in the list of goroutines.
    pub(super) view: &'a KindView<'a>,
}

impl<'a> Seen<'a> {
    /// What it waits for, where that is one thing.
    pub(super) fn only(&self) -> Option<&'a Wait> {
        match self.g.waits.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Whether it waits for that, and for nothing else.
    pub(super) fn does(&self, operation: &WaitOperation) -> bool {
        self.only().is_some_and(|w| w.operation == *operation)
    }

    /// The lock that it waits for.
    pub(super) fn lock(&self) -> Option<(&'a WaitOperation, usize)> {
        let wait = self.only()?;
        is_lock(&wait.operation).then_some((&wait.operation, wait.object? as usize))
    }

    /// Whether it waits in a `select`.
    pub(super) fn is_select(&self) -> bool {
        self.reason() == "select" || self.g.waits.len() > 1
    }

    /// Why it waits, as Go names it.
    pub(super) fn reason(&self) -> &'a str {
        if self.g.reason.is_empty() { self.view.reason } else { &self.g.reason }
    }
}

/// Whether a wait is for a lock.
pub(super) fn is_lock(operation: &WaitOperation) -> bool {
    matches!(operation, WaitOperation::Lock | WaitOperation::ReadLock | WaitOperation::WriteLock)
}

/// All that the causes look at.
pub(super) struct Scene<'a> {
    pub(super) facts: &'a Facts,
    pub(super) blocked: &'a BlockedGoroutines,
    /// Blocked goroutines by number: index in `blocked.each`.
    by_id: HashMap<u64, usize>,
    /// All goroutines by number: index of their kind.
    kind_of: HashMap<u64, u32>,
    kinds: Vec<KindView<'a>>,
    nothing: KindView<'a>,
    /// Who seems to hold each object, the surest first (`holders`).
    pub(super) holds: Vec<Vec<Holds>>,
}

impl<'a> Scene<'a> {
    /// Without who holds what.
    pub(super) fn of(facts: &'a Facts, blocked: &'a BlockedGoroutines) -> Self {
        let list = &facts.goroutines.list;
        let mut scene = Self {
            facts,
            blocked,
            by_id: blocked.each.iter().enumerate().map(|(i, g)| (g.id, i)).collect(),
            kind_of: list.each.iter().map(|g| (g.id, g.kind)).collect(),
            kinds: (0..list.kinds.len()).map(|i| kind(facts, i)).collect(),
            nothing: KindView::default(),
            holds: Vec::new(),
        };
        for g in blocked.each.iter().filter(|g| g.for_itself) {
            let kind = scene.kind_of.get(&g.id).and_then(|kind| scene.kinds.get_mut(*kind as usize));
            kind.into_iter().for_each(|kind| kind.for_themselves += 1);
        }
        scene
    }

    /// A blocked goroutine by its index.
    pub(super) fn seen(&self, index: usize) -> Option<Seen<'_>> {
        let g = self.blocked.each.get(index)?;
        Some(Seen { g, view: self.view(g.id) })
    }

    /// A blocked goroutine by its number.
    pub(super) fn blocked_by_id(&self, id: u64) -> Option<Seen<'_>> {
        self.seen(*self.by_id.get(&id)?)
    }

    /// Stack and state of a goroutine; empty where it is not in the list.
    pub(super) fn view(&self, id: u64) -> &KindView<'a> {
        self.kind_of.get(&id).and_then(|k| self.kinds.get(*k as usize)).unwrap_or(&self.nothing)
    }

    /// Whether a goroutine is alive.
    pub(super) fn is_alive(&self, id: u64) -> bool {
        self.kind_of.contains_key(&id) || self.by_id.contains_key(&id)
    }

    /// Whether a goroutine that does not wait for an object is in one of some functions, or may be, since its
    /// stack was not read.
    pub(super) fn is_another_in(&self, object: usize, is_of: impl Fn(&str) -> bool) -> bool {
        let may_be = |k: &KindView<'_>| k.stack.is_empty() || k.stack.iter().any(|f| is_of(&f.function));
        let inside: Vec<bool> = self.kinds.iter().map(may_be).collect();
        let waits = |id: u64| self.blocked_by_id(id).and_then(|s| s.lock()).is_some_and(|(_, o)| o == object);
        self.kind_of.iter().any(|(id, kind)| inside.get(*kind as usize) == Some(&true) && !waits(*id))
    }

    /// What is waited for.
    pub(super) fn object(&self, wait: &Wait) -> Option<&'a WaitObject> {
        self.blocked.objects.get(wait.object? as usize)
    }

    /// Who seems to hold an object, the surest first.
    pub(super) fn holds(&self, object: usize) -> &[Holds] {
        self.holds.get(object).map(Vec::as_slice).unwrap_or_default()
    }

    /// Goroutines that have a pointer to an object in a frame or a deferred call, and do not wait for it
    /// themselves.
    pub(super) fn others_with(&self, object: &'a WaitObject) -> impl Iterator<Item = u64> {
        let waits = move |id: u64| {
            self.blocked_by_id(id)
                .is_some_and(|s| s.g.waits.iter().any(|w| self.object(w).is_some_and(|o| std::ptr::eq(o, object))))
        };
        let refers = object.referrers.iter().filter(|r| {
            r.goroutine != 0
                && matches!(r.place, ReferrerPlace::Frame | ReferrerPlace::Deferred | ReferrerPlace::Object)
        });
        let mut ids: Vec<u64> = refers.map(|r| r.goroutine).filter(|id| !waits(*id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter()
    }
}

fn kind(facts: &Facts, index: usize) -> KindView<'_> {
    let list = &facts.goroutines.list;
    let Some(kind) = list.kinds.get(index) else { return KindView::default() };
    let frame = |i: u32| facts.frames.get(i as usize);
    let calls = list.stacks.get(kind.stack as usize).map(|s| s.calls.as_slice()).unwrap_or_default();
    let stack: Vec<&Frame> =
        calls.iter().filter_map(|c| list.calls.get(*c as usize)).filter_map(|c| frame(c.frame)).collect();
    let own = |f: &&&Frame| !is_standard_library(&f.function, &facts.target.module.path);
    let at = stack.iter().find(own).or_else(|| stack.iter().find(|f| !is_of_the_wait(&f.function))).copied();
    let place = kind.created_by.and_then(|i| list.places.get(i as usize));
    let runs = matches!(
        kind.state,
        GoroutineState::Running | GoroutineState::Runnable | GoroutineState::CopyStack | GoroutineState::Preempted
    );
    KindView {
        at,
        created_by: place.and_then(|p| frame(p.frame)),
        reason: &kind.wait_reason,
        runs,
        whole: !stack.is_empty() && kind.cut.is_none() && !kind.left_out,
        stack_bytes: kind.stack_bytes,
        for_themselves: 0,
        stack,
    }
}
