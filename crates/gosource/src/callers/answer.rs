//! Questions answered, when all packages were looked at.

use rustc_hash::{FxHashMap, FxHashSet};

use super::census::{Call, Census};
use super::{Ask, Bound, Key};
use crate::finding::{Finding, Level};

/// Calls that are followed from a function to the program's start.
const MAX_FAR: u32 = 12;

/// Calls that are followed from a function to a request.
const MAX_ASKED: u32 = 4;

/// All packages' calls, by what is called.
#[derive(Default)]
struct Callers {
    to: FxHashMap<Key, Vec<Call>>,
    starts: FxHashSet<Key>,
    private: FxHashSet<Key>,
    /// The name's key of each method that is declared.
    names: FxHashMap<Key, Key>,
    /// Methods of each name.
    named: FxHashMap<Key, Vec<Key>>,
    time: FxHashSet<Key>,
    number: FxHashSet<Key>,
    /// What was found of functions before; while one is looked at it counts as not once.
    once: FxHashMap<Key, bool>,
}

/// Lowers findings whose question the module answers with yes, and says why.
pub(crate) fn lower<'f>(asks: impl Iterator<Item = (&'f mut Finding, Vec<Ask>)>, all: Vec<Census>) {
    let mut callers = Callers::of(all);
    for (finding, asks) in asks {
        if let Some(ask) = asks.iter().find(|ask| callers.answer(ask)) {
            finding.level = Level::Hint;
            finding.why += ask.why();
        }
    }
}

impl Callers {
    fn of(all: Vec<Census>) -> Self {
        let mut out = Self::default();
        for census in all {
            for call in census.calls {
                out.to.entry(call.callee).or_default().push(call);
            }
            out.starts.extend(census.starts);
            out.private.extend(census.private);
            for (method, name) in census.methods {
                out.names.insert(method, name);
                out.named.entry(name).or_default().push(method);
            }
            for (function, bound) in census.bounds {
                match bound {
                    Bound::Time => out.time.insert(function),
                    Bound::Number => out.number.insert(function),
                };
            }
        }
        out
    }

    fn answer(&mut self, ask: &Ask) -> bool {
        match ask {
            Ask::Once(function) => self.runs_once(*function, MAX_FAR),
            Ask::Unasked(function) => !self.is_asked(*function, MAX_ASKED),
            Ask::Bounds(functions, bound) => functions.iter().any(|f| self.bounds(*f, *bound)),
        }
    }

    /// Whether a function runs once in a process: it starts the program, or all its calls are from what does,
    /// and stand in no loop. One that nobody is seen to call is not known.
    fn runs_once(&mut self, function: Key, far: u32) -> bool {
        if self.starts.contains(&function) {
            return true;
        }
        if let Some(known) = self.once.get(&function) {
            return *known;
        }
        let Some(far) = far.checked_sub(1) else { return false };
        self.once.insert(function, false);
        let mut calls = self.to.get(&function).cloned().unwrap_or_default();
        if let Some(any) = self.names.get(&function).and_then(|name| self.to.get(name)) {
            // A call through a type that is known to have such a method of its own is that method's.
            calls.extend(any.iter().filter(|c| c.exact.is_none_or(|e| !self.names.contains_key(&e))));
        }
        // What only a test calls, or nobody any more.
        calls.retain(|c| !self.private.contains(&c.caller) || self.to.contains_key(&c.caller));
        let once = !calls.is_empty()
            && calls.iter().all(|c| !c.often && c.caller != function && self.runs_once(c.caller, far));
        self.once.insert(function, once);
        once
    }

    /// Whether a call of a function runs for requests, or of one that calls it.
    fn is_asked(&self, function: Key, far: u32) -> bool {
        let Some(far) = far.checked_sub(1) else { return false };
        let calls = self.to.get(&function).map_or(&[][..], Vec::as_slice);
        calls.iter().any(|c| c.asked || c.caller != function && self.is_asked(c.caller, far))
    }

    /// Whether a function bounds something itself; of a method of which only the name is known, all of that
    /// name do.
    fn bounds(&self, function: Key, bound: Bound) -> bool {
        let has = match bound {
            Bound::Time => &self.time,
            Bound::Number => &self.number,
        };
        has.contains(&function)
            || self.named.get(&function).is_some_and(|all| all.iter().all(|method| has.contains(method)))
    }
}
