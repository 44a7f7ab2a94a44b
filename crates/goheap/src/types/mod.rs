//! Types of objects without debug information: what the heap says by itself, and what follows from it.
//!
//! In the order of trust: the type that the allocator notes with objects over 512 bytes (`seeds`, from Go
//! 1.22 on); interfaces, which name the type of what they hold; channels; the type that the code of an
//! allocation names, of sampled objects; typed pointers from object to object (`assign`, `propagate`); what
//! the program's code does with variables (`code`). A type must need the slot that the object has (`slots`),
//! and have pointers where the collector sees some: what does not fit is not believed, and such an object
//! stays unknown.

mod assign;
mod code;
mod kinds;
mod mostly;
mod numbers;
mod propagate;
mod seeds;
mod sites;
mod slots;
mod stack_maps;
mod trust;

use std::sync::Arc;
use std::time::Instant;

use lastgasp_goruntime::types::{CodeTypes, StackCalls};
use lastgasp_goruntime::{HeapObjects, Symbolizer};
use lastgasp_heapgraph::{Dominators, Graph, HeapLayout, Holder, ObjectId, Retained};
use lastgasp_inferior::{Addr, BlockCache, Memory};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;

use crate::on_stacks::{FrameWord, StackMap};
use crate::samples::Samples;

use assign::Assigner;
use kinds::{Kind, UNTYPED, name_of};
pub use mostly::Mostly;
use numbers::Numbers;
pub(crate) use seeds::{Interfaces, Seeds};

/// Live objects of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeTotal {
    /// As `%T` spells it, an array behind a slice as the slice; `unknown` with the size of a slot, where it
    /// is not known.
    pub name: String,
    /// Whether it is known.
    pub is_known: bool,
    /// Objects and the bytes of their slots.
    pub own: Retained,
    /// What they keep alive, nothing counted twice.
    pub retained: Retained,
}

/// What an object is, as far as who reads its contents asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// One value of the type at an address.
    Value(Addr),
    /// Values of the type at an address, in a row: the array behind a slice.
    Values(Addr),
    /// The bytes of a string.
    String,
    /// The header of a map of the type at an address.
    Map(Addr),
    /// A channel; its element's type.
    Chan(Addr),
    /// Buckets or groups of a map of the type at an address.
    MapRuns(Addr),
    /// What maps, channels and closures are made of, tiny objects, the runtime's own.
    Other,
}

/// What is known of types.
pub(crate) struct Types {
    /// By number of the object: its kind.
    of: Numbers,
    /// Of each kind.
    known: Vec<(Arc<str>, ObjectType)>,
    /// Of each span in the layout's order: the kind of its objects of which nothing is known.
    untyped: Vec<u32>,
    /// Of each kind the first that has the same name.
    names: Vec<u32>,
    /// How many kinds are known; behind them are those of spans.
    named: usize,
    /// Of words of package variables, by where they stand: as the program's code has them.
    pub(crate) variables: FxHashMap<Addr, String>,
    /// Types of whole package variables, by where they stand, from debug information.
    pub(crate) declared: FxHashMap<Addr, Addr>,
}

/// Variables in frames, and the calls under way there.
type OnStacks<'a> = (&'a [FrameWord], &'a StackCalls);

impl Types {
    /// Finds the types of all objects, garbage left out as far as the collector knows it; those that are
    /// reached `until` then, as memory that changes meanwhile would tell of one object what was said of
    /// another.
    pub(crate) fn assign(
        taken: &RawCapture,
        mem: &dyn Memory,
        objects: &HeapObjects,
        layout: &HeapLayout,
        (seeds, samples): (Seeds, &Samples),
        (code, (frames, calls), maps, funcs): (Option<CodeTypes>, OnStacks<'_>, &[StackMap], &[Addr]),
        until: Option<Instant>,
    ) -> Self {
        let rt = &taken.runtime;
        // Words of channels, closures and stacks stand near each other.
        let mem = &BlockCache::new(mem);
        let mut all = Assigner::new(rt, mem, objects, layout, code.as_ref());
        all.add_seeds(seeds);
        all.add_runtime();
        all.add_sites(samples);
        all.add_variables(taken);
        if let Some(code) = code {
            all.add_code(code, frames, calls);
        }
        all.add_stack_maps(maps);
        all.add_closures(funcs.iter().copied().chain(frames.iter().map(|word| word.to)));
        all.add_stacks();
        all.follow(until);
        let variables = std::mem::take(&mut all.variables);
        let declared = std::mem::take(&mut all.declared);
        let (of, kinds, mut types, slots) = all.finish();
        let symbols = Symbolizer::new(mem, &rt.module, rt.layout);
        let function = |code: Addr| symbols.function_name(code);
        let mut known: Vec<(Arc<str>, ObjectType)> = vec![(Arc::from(""), ObjectType::Other); kinds.len()];
        for (number, kind) in kinds.all() {
            if let Some(known) = known.get_mut(number as usize) {
                let of = match kind.kind {
                    Kind::Closure(code) => kinds.closures().type_of(code).map_or(ObjectType::Other, ObjectType::Value),
                    kind => kind.object_type(),
                };
                *known = (name_of(&mut types, kind.kind, &function).into(), of);
            }
        }
        let named = known.len();
        // What nothing is known of is told apart by its slot.
        let mut numbers: FxHashMap<(u64, bool, bool), u32> = FxHashMap::default();
        let untyped = slots.all().map(|class| {
            *numbers.entry((class.slot_bytes, class.noscan, class.tiny)).or_insert_with(|| {
                known.push((unknown(class.slot_bytes, class.noscan).into(), ObjectType::Other));
                (known.len() - 1) as u32
            })
        });
        let mut untyped: Vec<u32> = untyped.collect();
        known.push(("tiny block".into(), ObjectType::Other));
        let tiny = (known.len() - 1) as u32;
        for (untyped, class) in untyped.iter_mut().zip(slots.all()) {
            if class.tiny {
                *untyped = tiny;
            }
        }
        let mut first: FxHashMap<Arc<str>, u32> = FxHashMap::default();
        let names = known.iter().zip(0..).map(|((name, _), i)| *first.entry(name.clone()).or_insert(i)).collect();
        Self { of, known, untyped, names, named, variables, declared }
    }

    /// The number of an object's kind.
    fn number(&self, layout: &HeapLayout, object: ObjectId) -> Option<u32> {
        match self.of.get(object.0) {
            Some(UNTYPED) | None => self.untyped.get(layout.span_of(object)?).copied(),
            known => known,
        }
    }

    fn is_known(&self, number: u32) -> bool {
        (number as usize) < self.named || number as usize + 1 == self.known.len()
    }

    /// What an object is, and the name of that; `None` of what is not known.
    pub(crate) fn get(&self, layout: &HeapLayout, object: ObjectId) -> Option<(ObjectType, &str)> {
        let number = self.number(layout, object).filter(|n| self.is_known(*n))?;
        self.known.get(number as usize).map(|(name, of)| (*of, &**name))
    }

    /// A number for the name of what an object is, the same for the same name; `None` of what is not known.
    pub(crate) fn name_number(&self, layout: &HeapLayout, object: ObjectId) -> Option<u32> {
        let number = self.number(layout, object).filter(|n| self.is_known(*n))?;
        self.names.get(number as usize).copied()
    }

    /// The name of a number.
    pub(crate) fn name_of(&self, number: u32) -> Option<&str> {
        self.named(number).map(|(name, _)| name)
    }

    /// The name of a number, and what an object of that name is.
    pub(crate) fn named(&self, number: u32) -> Option<(&str, ObjectType)> {
        self.known.get(number as usize).map(|(name, of)| (&**name, *of))
    }

    /// All of them, those of the most bytes first; and of every root, and group of them, that alone keeps
    /// something of a known type the types of most of it.
    pub(crate) fn totals_and_mostly(
        &self,
        graph: &Graph,
        dominators: &Dominators,
    ) -> (Vec<TypeTotal>, FxHashMap<Holder, Vec<Mostly>>) {
        let (totals, held) = self.totals(graph, dominators);
        (totals, mostly::mostly(self, graph, held))
    }

    /// All of them, those of the most bytes first; and what each owner has of each that is known, by the
    /// number of its name.
    pub(crate) fn totals(
        &self,
        graph: &Graph,
        dominators: &Dominators,
    ) -> (Vec<TypeTotal>, Vec<(Holder, u32, Retained)>) {
        // Kinds of one name are one group, so that nothing that they keep together is counted twice.
        let (mut names, mut numbers): (Vec<(&str, u32)>, FxHashMap<&str, u32>) = Default::default();
        let known = self.known.iter().zip(0u32..);
        let groups: Vec<u32> = known
            .map(|((name, _), number)| {
                *numbers.entry(name).or_insert_with(|| {
                    names.push((name, number));
                    (names.len() - 1) as u32
                })
            })
            .collect();
        let layout = graph.layout();
        let of = |object| self.number(layout, object).and_then(|number| groups.get(number as usize).copied());
        let (totals, mut held) = dominators.by_group_and_owner(graph, names.len(), of);
        held.retain_mut(|(_, group, _)| {
            let first = names.get(*group as usize).map(|(_, number)| *number);
            *group = first.unwrap_or(u32::MAX);
            first.is_some_and(|number| self.is_known(number))
        });
        let all = names.into_iter().zip(totals).filter(|(_, t)| t.own.objects > 0);
        let mut all: Vec<TypeTotal> = all
            .map(|((name, number), t)| TypeTotal {
                name: name.to_owned(),
                is_known: self.is_known(number),
                own: t.own,
                retained: t.retained,
            })
            .collect();
        all.sort_by(|a, b| (b.own.bytes, &a.name).cmp(&(a.own.bytes, &b.name)));
        (all, held)
    }
}

impl Kind {
    fn object_type(self) -> ObjectType {
        match self {
            Self::One(at) => ObjectType::Value(at),
            Self::Array(at) => ObjectType::Values(at),
            Self::String => ObjectType::String,
            Self::Map(at) => ObjectType::Map(at),
            Self::Chan(at) => ObjectType::Chan(at),
            Self::MapRun(at) | Self::MapRuns(at) => ObjectType::MapRuns(at),
            _ => ObjectType::Other,
        }
    }
}

fn unknown(slot_bytes: u64, noscan: bool) -> String {
    match (slot_bytes, noscan) {
        // Large objects have sizes of their own.
        (32_769.., true) => "unknown (over 32 KiB, without pointers)".into(),
        (32_769.., false) => "unknown (over 32 KiB)".into(),
        (n, true) => format!("unknown ({n} bytes, without pointers)"),
        (n, false) => format!("unknown ({n} bytes)"),
    }
}
