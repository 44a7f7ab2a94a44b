//! One function: what its registers and stack slots hold at each place, followed along all of its jumps until
//! nothing changes any more; and what then follows of types.

use lastgasp_inferior::Addr;
use rustc_hash::FxHashSet;

use super::callees::Callee;
use super::said::Said;
use super::values::{Origin, State, Value, Values};
use crate::arch::{ARGUMENTS, Act, Operand, Place, Step};

/// Rounds through a function, after which it is left alone.
const MAX_ROUNDS: usize = 24;
/// Runs of instructions without jumps in one function; those of more are left alone.
const MAX_BLOCKS: usize = 1 << 12;

/// What one function says.
#[derive(Default)]
pub(super) struct Flow {
    pub(super) values: Values,
    /// What is said of values.
    pub(super) said: Vec<(Value, Said)>,
    /// A word of memory (what would be loaded from there), and what is put there.
    pub(super) stores: Vec<(Value, Value)>,
    /// Results, of each place where it returns.
    pub(super) returns: Vec<[Value; ARGUMENTS]>,
    /// Where its calls lead, by where they stand.
    pub(super) calls: Vec<(u64, Addr)>,
    /// Values that are the second word of an interface, the first of which the function looks at: what is
    /// said of such a value holds only where the interface is of one type.
    pub(super) mixed: FxHashSet<Value>,
    /// What there is during calls.
    pub(super) frames: Vec<AtCall>,
}

/// What there is during a call.
pub(super) struct AtCall {
    /// Where it returns to.
    pub(super) returns_to: Addr,
    /// The function that is called, where the code says it.
    pub(super) target: Option<Addr>,
    /// What it is called with, in registers.
    pub(super) arguments: [Value; ARGUMENTS],
    /// What stands on the stack: bytes from the calling function's return address.
    pub(super) slots: Vec<(i32, Value)>,
}

/// Who knows which functions of the runtime are called.
pub(super) type Known<'k> = dyn Fn(Addr) -> Option<Callee> + 'k;

struct Block {
    from: usize,
    to: usize,
    state: Option<State>,
    waits: bool,
}

impl Flow {
    /// Follows a function. `None` where it jumps to where it does not say, or is too large: then nothing is
    /// sure. `wanted`: the return addresses of calls during which stack slots are asked for.
    pub(super) fn of(steps: &[Step], known: &Known<'_>, wanted: &FxHashSet<Addr>) -> Option<Self> {
        let mut blocks = blocks(steps)?;
        let mut flow = Self::default();
        let state = State::at_entry(&mut flow.values);
        if let Some(first) = blocks.first_mut() {
            (first.state, first.waits) = (Some(state), true);
        }
        let starts: Vec<Addr> = blocks.iter().filter_map(|b| steps.get(b.from)).map(|s| s.at).collect();
        let mut rounds = 0;
        while blocks.iter().any(|b| b.waits) {
            rounds += 1;
            if rounds > MAX_ROUNDS {
                return None;
            }
            for index in 0..blocks.len() {
                let Some(block) = blocks.get_mut(index).filter(|b| b.waits) else { continue };
                block.waits = false;
                let Some(mut state) = block.state.clone() else { continue };
                let run = steps.get(block.from..block.to).unwrap_or_default();
                let mut goes_on = true;
                let mut leads = Vec::new();
                for step in run {
                    match step.act {
                        Act::Jump { to, maybe } => {
                            leads.extend(starts.binary_search(&to).ok());
                            goes_on = maybe;
                        }
                        Act::Call(Some(to)) if known(to) == Some(Callee::Begins) => goes_on = false,
                        Act::Return | Act::Stop => goes_on = false,
                        _ => flow.step(step, &mut state, known, None),
                    }
                }
                leads.extend(goes_on.then_some(index + 1));
                for next in leads {
                    // The entry is entered with arguments alone, whoever comes back to it.
                    let Some(next) = blocks.get_mut(next).filter(|_| next != 0) else { continue };
                    next.waits |= match &mut next.state {
                        Some(there) => there.meet(&state),
                        empty => {
                            *empty = Some(state.clone());
                            true
                        }
                    };
                }
            }
        }
        for block in &blocks {
            let Some(mut state) = block.state.clone() else { continue };
            for step in steps.get(block.from..block.to).unwrap_or_default() {
                if step.act == Act::Return {
                    let mut results = [Value::UNKNOWN; ARGUMENTS];
                    for (result, register) in results.iter_mut().zip(state.registers) {
                        *result = register;
                    }
                    flow.returns.push(results);
                }
                flow.step(step, &mut state, known, Some(wanted));
            }
        }
        Some(flow)
    }

    fn at(&mut self, place: Place, state: &State) -> Value {
        match place {
            Place::Static(at) => {
                let from = self.values.of(Origin::Static(at.0));
                self.values.loaded(from, 0)
            }
            Place::Behind(register, offset) => self.values.loaded(state.register(register), offset),
            Place::Stack(_) | Place::Somewhere => Value::UNKNOWN,
        }
    }

    fn operand(&mut self, operand: Operand, state: &State) -> Value {
        match operand {
            Operand::Register(register) => state.register(register),
            Operand::Word(Place::Stack(offset)) => state.slot(offset),
            Operand::Word(place) => self.at(place, state),
        }
    }

    /// What an instruction does to a state. `wanted` is there when nothing changes any more: what is seen
    /// then is so.
    fn step(&mut self, step: &Step, state: &mut State, known: &Known<'_>, wanted: Option<&FxHashSet<Addr>>) {
        match step.act {
            Act::Nothing | Act::Jump { .. } | Act::Away | Act::Return | Act::Stop => {}
            Act::Move { to, from } => state.set(to, state.register(from)),
            Act::Zero { to } => state.set(to, Value::NIL),
            Act::Address { to, of } => {
                let value = match of {
                    Place::Static(at) => self.values.of(Origin::Static(at.0)),
                    Place::Behind(from, offset) => self.values.moved(state.register(from), offset),
                    Place::Stack(offset) => {
                        // Whoever gets the address may write there.
                        state.write(offset, 8, Value::UNKNOWN);
                        Value::UNKNOWN
                    }
                    Place::Somewhere => Value::UNKNOWN,
                };
                state.set(to, value);
            }
            Act::Load { to, from } => {
                let value = match from {
                    Place::Stack(offset) => state.slot(offset),
                    place => self.at(place, state),
                };
                state.set(to, value);
            }
            Act::Store { to: Place::Stack(offset), from } => state.write(offset, 8, state.register(from)),
            Act::Store { to, from } => {
                let (place, value) = (self.at(to, state), state.register(from));
                if wanted.is_some() && place.is_known() && value.is_known() && value != Value::NIL {
                    self.stores.push((place, value));
                }
            }
            Act::Overwrite { to: Place::Stack(offset), bytes } => state.write(offset, bytes, Value::UNKNOWN),
            Act::Overwrite { .. } => {}
            Act::Compare { left, right } => {
                if wanted.is_some() {
                    let (left, right) = (self.operand(left, state), self.operand(right, state));
                    for (one, other) in [(left, right), (right, left)] {
                        if matches!(self.values.origin(other), Some(Origin::Static(_)))
                            && let Some(data) = self.values.behind(one)
                        {
                            self.mixed.insert(data);
                        }
                    }
                }
            }
            Act::Lose(mask) => state.lose(mask),
            Act::Stack { by, lost } => {
                state.move_stack(by);
                if by < 0 {
                    state.write(0, by.unsigned_abs().min(8) as u8, Value::UNKNOWN);
                }
                state.lose(lost);
            }
            Act::LoseStack => {
                state.stack = None;
                state.write(0, 8, Value::UNKNOWN);
            }
            Act::Call(target) => self.call(step, target, state, known, wanted),
        }
    }

    fn call(
        &mut self,
        step: &Step,
        target: Option<Addr>,
        state: &mut State,
        known: &Known<'_>,
        wanted: Option<&FxHashSet<Addr>>,
    ) {
        let callee = target.and_then(known);
        if let Some(Callee::Keeps(lost)) = callee {
            return state.lose(lost);
        }
        let of = callee.and_then(Callee::type_argument).and_then(|n| {
            let value = state.registers.get(n).copied()?;
            match self.values.origin(value)? {
                Origin::Static(at) => Some(Addr(at)),
                _ => None,
            }
        });
        let made = match (callee, of) {
            (Some(Callee::New(_)), Some(of)) => Some(Said::Pointer(of)),
            (Some(Callee::Array(_)), Some(of)) => Some(Said::Array(of)),
            (Some(Callee::Map(_)), Some(of)) => Some(Said::Map(of)),
            (Some(Callee::Chan(_)), Some(of)) => Some(Said::Chan(of)),
            (Some(Callee::Memory(_)), Some(of)) => Some(Said::Memory(of)),
            _ => None,
        };
        if wanted.is_some() {
            self.calls.extend(target.map(|target| (step.at.0, target)));
            let [_, second, third, ..] = state.registers;
            match (callee, of) {
                (Some(Callee::UsesMap | Callee::PutsIntoMap), Some(of)) => self.say(second, Said::Map(of)),
                (Some(Callee::Values), Some(of)) => {
                    // What is in a register may point into something: what stands in the code does not move.
                    for value in [second, third] {
                        if matches!(self.values.origin(value), Some(Origin::Static(_))) {
                            self.say(value, Said::Pointer(of));
                        }
                    }
                }
                _ => {}
            }
        }
        if wanted.is_some_and(|w| w.contains(&step.next)) {
            let mut arguments = [Value::UNKNOWN; ARGUMENTS];
            for (argument, register) in arguments.iter_mut().zip(state.registers) {
                *argument = register;
            }
            let slots = state.slots().to_vec();
            self.frames.push(AtCall { returns_to: step.next, target, arguments, slots });
        }
        state.lose(u16::MAX);
        for (index, register) in (0..ARGUMENTS as u8).zip(state.registers.iter_mut()) {
            let origin = match made {
                // What is made of one type in several places is the same to whoever asks for types: a list
                // that a loop puts together begins with one and goes on with another.
                Some(said) if index == 0 => Origin::Made(said),
                _ => Origin::Result { call: step.at.0, index },
            };
            *register = self.values.of(origin);
        }
        if wanted.is_some()
            && let Some(said) = made
        {
            self.say(state.register(0), said);
        }
    }

    fn say(&mut self, of: Value, said: Said) {
        if of.is_known() && of != Value::NIL {
            self.said.push((of, said));
        }
    }
}

/// Runs of instructions into which nothing jumps but to their first; `None` where a jump does not say where
/// it leads.
fn blocks(steps: &[Step]) -> Option<Vec<Block>> {
    let mut starts = vec![0];
    for (i, step) in steps.iter().enumerate() {
        match step.act {
            Act::Jump { to, .. } => {
                starts.push(i + 1);
                starts.extend(steps.binary_search_by_key(&to, |s| s.at).ok());
            }
            Act::Return | Act::Stop => starts.push(i + 1),
            Act::Away => return None,
            _ => {}
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts.retain(|s| *s < steps.len());
    if starts.len() > MAX_BLOCKS {
        return None;
    }
    let ends = starts.iter().skip(1).copied().chain([steps.len()]);
    Some(starts.iter().zip(ends).map(|(from, to)| Block { from: *from, to, state: None, waits: false }).collect())
}
