//! What registers and stack slots hold, by where it came from: two values of one origin have one type, for
//! all that the compiler knows of both is that.

use rustc_hash::FxHashMap;

use super::said::Said;
use crate::arch::{ARGUMENTS, CONTEXT, REGISTERS};

/// Most values of one function that are told apart.
const MAX_VALUES: usize = 1 << 14;
/// Loads through loads that are followed.
const MAX_DEPTH: u8 = 3;

/// A value, by number; 0 is one of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Value(pub(super) u32);

impl Value {
    /// Nothing is known of it.
    pub(super) const UNKNOWN: Self = Self(0);
    /// Zero: a nil pointer, if it is one. Where it comes together with another value, whoever uses what they
    /// make uses one variable, which is of the other's type.
    pub(super) const NIL: Self = Self(u32::MAX);

    pub(super) fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }

    /// What is known of a variable that is this on one way and another value on another.
    fn met(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            (Self::NIL, known) | (known, Self::NIL) => known,
            _ => Self::UNKNOWN,
        }
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// An address that stands in the code.
    Static(u64),
    /// The n-th argument of the function.
    Argument(u8),
    /// The closure that the function is called as.
    Context,
    /// The n-th result of the call at an address.
    Result {
        /// Where the call stands.
        call: u64,
        /// Which of its results.
        index: u8,
    },
    /// An address behind what a value points to, in the same object.
    Behind(Value),
    /// What the runtime made of a type that the code names: any of these.
    Made(Said),
    /// The word so many bytes behind what a value points to.
    Loaded {
        /// The pointer.
        from: Value,
        /// Bytes behind it.
        offset: i32,
    },
}

/// All values of a function.
#[derive(Default)]
pub(super) struct Values {
    numbers: FxHashMap<Origin, Value>,
    origins: Vec<(Origin, u8)>,
}

impl Values {
    /// Where a value came from.
    pub(super) fn origin(&self, value: Value) -> Option<Origin> {
        self.origins.get((value.0 as usize).checked_sub(1)?).map(|(origin, _)| *origin)
    }

    /// How many loads lie behind it.
    fn depth(&self, value: Value) -> u8 {
        (value.0 as usize).checked_sub(1).and_then(|i| self.origins.get(i)).map_or(u8::MAX, |(_, depth)| *depth)
    }

    /// The value of an origin.
    pub(super) fn of(&mut self, origin: Origin) -> Value {
        let depth = match origin {
            Origin::Loaded { from, .. } => self.depth(from).saturating_add(1),
            _ => 0,
        };
        if depth > MAX_DEPTH {
            return Value::UNKNOWN;
        }
        if let Some(known) = self.numbers.get(&origin) {
            return *known;
        }
        if self.origins.len() >= MAX_VALUES {
            return Value::UNKNOWN;
        }
        self.origins.push((origin, depth));
        let value = Value(self.origins.len() as u32);
        self.numbers.insert(origin, value);
        value
    }

    /// The word behind a pointer.
    pub(super) fn loaded(&mut self, from: Value, offset: i32) -> Value {
        match self.origin(from) {
            None => Value::UNKNOWN,
            Some(Origin::Static(at)) => {
                let from = self.of(Origin::Static(at.wrapping_add_signed(offset.into())));
                self.of(Origin::Loaded { from, offset: 0 })
            }
            Some(_) => self.of(Origin::Loaded { from, offset }),
        }
    }

    /// So many bytes behind what a value points to.
    pub(super) fn moved(&mut self, from: Value, offset: i32) -> Value {
        match self.origin(from) {
            None => Value::UNKNOWN,
            _ if offset == 0 => from,
            Some(Origin::Static(at)) => self.of(Origin::Static(at.wrapping_add_signed(offset.into()))),
            Some(Origin::Behind(_)) => from,
            Some(_) => self.of(Origin::Behind(from)),
        }
    }

    /// What stands before a value where both came together: the first word of an interface, if this is its
    /// second.
    pub(super) fn behind(&mut self, value: Value) -> Option<Value> {
        let next = match self.origin(value)? {
            Origin::Argument(n) => Origin::Argument(n.checked_add(1)?),
            Origin::Result { call, index } => Origin::Result { call, index: index.checked_add(1)? },
            Origin::Loaded { from, offset } => match self.origin(from)? {
                Origin::Static(at) => {
                    let from = self.of(Origin::Static(at.wrapping_add(8)));
                    Origin::Loaded { from, offset }
                }
                _ => Origin::Loaded { from, offset: offset.checked_add(8)? },
            },
            Origin::Static(_) | Origin::Context | Origin::Made(_) | Origin::Behind(_) => return None,
        };
        Some(self.of(next)).filter(|v| v.is_known())
    }
}

/// What all registers and stack slots hold at a place in a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// By register.
    pub(super) registers: [Value; REGISTERS],
    /// Bytes from the stack pointer at the function's entry, and what stands there; sorted.
    slots: Vec<(i32, Value)>,
    /// Where the stack pointer is, from where it was at the entry.
    pub(super) stack: Option<i32>,
}

/// Most stack slots that are kept.
const MAX_SLOTS: usize = 256;

impl State {
    /// That at a function's entry.
    pub(super) fn at_entry(values: &mut Values) -> Self {
        let mut state = Self { stack: Some(0), ..Self::default() };
        for (n, register) in (0..ARGUMENTS as u8).zip(state.registers.iter_mut()) {
            *register = values.of(Origin::Argument(n));
        }
        state.set(CONTEXT, values.of(Origin::Context));
        state
    }

    pub(super) fn register(&self, register: u8) -> Value {
        self.registers.get(usize::from(register)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, register: u8, value: Value) {
        if let Some(r) = self.registers.get_mut(usize::from(register)) {
            *r = value;
        }
    }

    /// Registers of a mask hold something else.
    pub(super) fn lose(&mut self, mask: u16) {
        for (i, register) in self.registers.iter_mut().enumerate() {
            if mask & 1 << i != 0 {
                *register = Value::UNKNOWN;
            }
        }
    }

    /// The stack slot so many bytes from the stack pointer.
    pub(super) fn slot(&self, offset: i32) -> Value {
        let at = self.stack.and_then(|s| s.checked_add(offset));
        let found = at.and_then(|at| self.slots.binary_search_by_key(&at, |(at, _)| *at).ok());
        found.and_then(|i| self.slots.get(i)).map(|(_, v)| *v).unwrap_or_default()
    }

    /// Something is written to the stack.
    pub(super) fn write(&mut self, offset: i32, bytes: u8, value: Value) {
        let Some(at) = self.stack.and_then(|s| s.checked_add(offset)) else {
            return self.slots.clear();
        };
        let end = at.saturating_add(bytes.into());
        self.slots.retain(|(slot, _)| *slot >= end || slot.saturating_add(8) <= at);
        if value.is_known() && self.slots.len() < MAX_SLOTS {
            let place = self.slots.partition_point(|(slot, _)| *slot < at);
            self.slots.insert(place, (at, value));
        }
    }

    /// The stack pointer moves. What it leaves below is gone.
    pub(super) fn move_stack(&mut self, by: i32) {
        self.stack = self.stack.and_then(|s| s.checked_add(by));
        match self.stack {
            Some(stack) if by > 0 => self.slots.retain(|(slot, _)| *slot >= stack),
            Some(_) => {}
            None => self.slots.clear(),
        }
    }

    /// All slots.
    pub(super) fn slots(&self) -> &[(i32, Value)] {
        &self.slots
    }

    /// Leaves what holds on another way to the same place too; whether that was less.
    pub(super) fn meet(&mut self, other: &Self) -> bool {
        let mut changed = false;
        if self.stack != other.stack && self.stack.is_some() {
            self.stack = None;
            self.slots.clear();
            changed = true;
        }
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            let both = mine.met(*theirs);
            changed |= both != *mine;
            *mine = both;
        }
        self.slots.retain_mut(|(at, mine)| {
            let theirs = other.slots.binary_search_by_key(at, |(at, _)| *at).ok();
            let theirs = theirs.and_then(|i| other.slots.get(i)).map(|(_, v)| *v).unwrap_or_default();
            let both = mine.met(theirs);
            changed |= both != *mine;
            *mine = both;
            both.is_known()
        });
        changed
    }
}
