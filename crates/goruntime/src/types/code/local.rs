//! What one function says of words outside of it, and of its results.

use lastgasp_inferior::{Addr, AddrRange};
use rustc_hash::FxHashMap;

use super::flow::{AtCall, Flow};
use super::said::Said;
use super::values::{Origin, Value};
use crate::arch::ARGUMENTS;

/// Loads from a variable on that are followed.
const MAX_LOADS: usize = 3;

/// A word that is reached from a package variable: the word at `at`; then, as long as there are offsets, the
/// word so many bytes behind what the one before points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WordPath {
    /// Where the first word stands.
    pub at: Addr,
    /// The offsets, in bytes.
    pub offsets: Vec<i32>,
}

/// What is known of a value in words that hold outside of its function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Returned {
    /// Nothing.
    #[default]
    Nothing,
    /// This.
    Said(Said),
    /// It is what a variable leads to.
    Word(WordPath),
    /// It is what a function returns.
    Result(Addr, u8),
    /// It points behind what a function returns, into the same object.
    BehindResult(Addr, u8),
}

/// What a function's own uses of a value say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// Nothing.
    Nothing,
    /// This.
    Said(Said),
    /// Different things.
    Unclear,
    /// It is the second word of an interface: it may be of any type.
    Interface,
}

/// A function, with what is said of each of its values.
pub(super) struct Local {
    flow: Flow,
    /// `None` where uses disagree.
    said: FxHashMap<Value, Option<Said>>,
    calls: FxHashMap<u64, Addr>,
}

impl Local {
    pub(super) fn of(mut flow: Flow) -> Self {
        // Behind a constant address stands what it is the type of, where both are an interface.
        for (place, value) in &flow.stores {
            if matches!(flow.values.origin(*value), Some(Origin::Static(_)))
                && let Some(data) = flow.values.behind(*place)
            {
                flow.mixed.insert(data);
            }
        }
        let mut local = Self { said: FxHashMap::default(), calls: flow.calls.iter().copied().collect(), flow };
        for (value, said) in std::mem::take(&mut local.flow.said) {
            local.say(value, said);
        }
        // What is put into a word has the word's type, and the other way round.
        for _ in 0..2 {
            for (place, value) in local.flow.stores.clone() {
                match (local.said(place), local.said(value)) {
                    (Some(said), None) => local.say(value, said),
                    (None, Some(said)) => local.say(place, said),
                    _ => {}
                }
            }
        }
        local
    }

    fn say(&mut self, value: Value, said: Said) {
        if self.flow.mixed.contains(&value) {
            return;
        }
        let known = self.said.entry(value).or_insert(Some(said));
        if known.is_some_and(|known| known != said) {
            *known = None;
        }
    }

    fn said(&self, value: Value) -> Option<Said> {
        self.said.get(&value).copied().flatten()
    }

    /// The way from a variable to where a value was loaded from.
    fn path(&self, value: Value) -> Option<WordPath> {
        let (mut value, mut offsets) = (value, Vec::new());
        for _ in 0..=MAX_LOADS {
            let Some(Origin::Loaded { from, offset }) = self.flow.values.origin(value) else { return None };
            if let Some(Origin::Static(at)) = self.flow.values.origin(from) {
                offsets.reverse();
                return Some(WordPath { at: Addr(at), offsets });
            }
            offsets.push(offset);
            value = from;
        }
        None
    }

    /// What is said of words that are reached from variables in a range; and which of them get a
    /// result of which function.
    pub(super) fn words(
        &mut self,
        variables: AddrRange,
        all: &mut Vec<(WordPath, Said)>,
        results: &mut Vec<(WordPath, Returned)>,
    ) {
        let path = |local: &Self, value| local.path(value).filter(|path| variables.contains(path.at));
        let mut said: Vec<(Value, Said)> =
            self.said.iter().map(|(value, said)| (*value, said.unwrap_or(Said::Unclear))).collect();
        // What is put into a word says what it is, beside its uses.
        said.extend(self.flow.stores.iter().filter_map(|(place, value)| {
            let is_data = self.flow.mixed.contains(place);
            Some((*place, self.said(*value).filter(|_| !is_data)?))
        }));
        said.sort_unstable();
        said.dedup();
        for (value, said) in said {
            if let Some(path) = path(self, value) {
                all.push((path, said));
            }
        }
        for (place, value) in &self.flow.stores {
            if self.flow.mixed.contains(place) || self.said.contains_key(place) {
                continue;
            }
            match (path(self, *place), self.returned(*value)) {
                (Some(path), returned @ (Returned::Result(..) | Returned::BehindResult(..))) => {
                    results.push((path, returned));
                }
                (Some(path), Returned::Said(said @ Said::Within(_))) => all.push((path, said)),
                _ => {}
            }
        }
    }

    /// Closures that it makes: where their code begins, and the type of the structure that has it and what it
    /// captures.
    pub(super) fn closures(&self, code: AddrRange, all: &mut Vec<(Addr, Addr)>) {
        for (place, value) in &self.flow.stores {
            let Some(Origin::Loaded { from, offset: 0 }) = self.flow.values.origin(*place) else { continue };
            if let Some(Origin::Static(at)) = self.flow.values.origin(*value)
                && code.contains(Addr(at))
                && let Some(Origin::Made(Said::Pointer(of) | Said::Memory(of))) = self.flow.values.origin(from)
            {
                all.push((Addr(at), of));
            }
        }
    }

    /// What is known of a value.
    pub(super) fn returned(&self, value: Value) -> Returned {
        if self.flow.mixed.contains(&value) {
            return Returned::Nothing;
        }
        match self.said.get(&value) {
            Some(Some(said)) => return Returned::Said(*said),
            Some(None) => return Returned::Nothing,
            None => {}
        }
        match self.flow.values.origin(value) {
            Some(Origin::Result { call, index }) => {
                self.calls.get(&call).map_or(Returned::Nothing, |function| Returned::Result(*function, index))
            }
            // What was loaded may be the array of a struct: what is made now is one alone.
            Some(Origin::Behind(from)) => match (self.flow.values.origin(from), self.returned(from)) {
                (Some(Origin::Made(Said::Array(of))), _) => Returned::Said(Said::Within(of)),
                (_, Returned::Result(function, index)) => Returned::BehindResult(function, index),
                _ => Returned::Nothing,
            },
            Some(Origin::Loaded { .. }) => self.path(value).map_or(Returned::Nothing, Returned::Word),
            _ => Returned::Nothing,
        }
    }

    /// What it returns, where all places at which it returns agree. Behind the address of something constant
    /// may stand the second word of an interface: that has no type.
    pub(super) fn results(&self) -> [Returned; ARGUMENTS] {
        let mut found: [Returned; ARGUMENTS] = Default::default();
        let mut settled = [false; ARGUMENTS];
        for results in &self.flow.returns {
            let mut before = false;
            for ((value, found), settled) in results.iter().zip(&mut found).zip(&mut settled) {
                let this = self.returned(*value);
                if before {
                    (*found, *settled) = (Returned::Nothing, true);
                } else if this != Returned::Nothing && !*settled {
                    if *found == Returned::Nothing {
                        *found = this;
                    } else if *found != this {
                        (*found, *settled) = (Returned::Nothing, true);
                    }
                }
                before = matches!(self.flow.values.origin(*value), Some(Origin::Static(_)));
            }
        }
        found
    }

    /// What there is during calls.
    pub(super) fn frames(&self) -> &[AtCall] {
        &self.flow.frames
    }

    /// Where a value came from.
    pub(super) fn origin(&self, value: Value) -> Option<Origin> {
        self.flow.values.origin(value)
    }

    /// What uses of a value say of it.
    pub(super) fn own(&self, value: Value) -> Own {
        if self.flow.mixed.contains(&value) {
            return Own::Interface;
        }
        match self.said.get(&value) {
            Some(Some(said)) => Own::Said(*said),
            Some(None) => Own::Unclear,
            None => Own::Nothing,
        }
    }

    /// The value that comes right behind another where both came together.
    pub(super) fn behind(&mut self, value: Value) -> Option<Value> {
        self.flow.values.behind(value)
    }
}
