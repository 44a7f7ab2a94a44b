//! One capture with all of its memory, read as the product reads it, and what must be true of it alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use lastgasp_goheap::Heap;
use lastgasp_goruntime::{
    Gap, HeapObjects, LabelSalt, Mark, MemStats, PointerReader, PointerVisitor, SpanTable, SpecialKind, StackReader,
    Symbolizer, TypeReader, decode_all_goroutines, specials, variable_pointers,
};
use lastgasp_inferior::{Addr, AddrRange, BlockCache, CoreFile, Layered, Memory};
use lastgasp_observe::core::take_core;
use lastgasp_observe::raw_capture::{RawCapture, WhenRead, is_saved};
use serde::Serialize;

use super::judge::{self, About, Marked};
use super::places::places;

/// What is true of one capture alone. Counts of objects go with their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Slots that are taken.
    pub taken: (u64, u64),
    /// The same by the span table's own counts.
    pub table: (u64, u64),
    /// Reached by the graph.
    pub live: (u64, u64),
    /// Bytes of these with a type.
    pub typed_bytes: u64,
    /// Objects with the address of a type of their own.
    pub with_type: u64,
    /// Of these types those that are none, or larger than the object.
    pub invalid_types: u64,
    /// Pointers of live objects and of roots.
    pub pointers: u64,
    /// Of these what leads into a free slot, by where it stands.
    pub stale: BTreeMap<String, u64>,
    /// Goroutines, and those of which some words are only taken for pointers.
    pub goroutines: (u64, u64),
    /// Of how many objects a finalizer is set.
    pub finalizers: u64,
    /// What could not be read.
    pub gaps: BTreeSet<String>,
}

impl Seen {
    /// What is wrong.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut out: Vec<String> = self.gaps.iter().map(|g| format!("gap: {g}")).collect();
        if self.taken != self.table {
            out.push(format!("{:?} objects and bytes, {:?} by the span table", self.taken, self.table));
        }
        if self.invalid_types > 0 {
            out.push(format!("{} of {} types are none", self.invalid_types, self.with_type));
        }
        out.extend(self.stale.iter().map(|(at, n)| format!("{n} pointers into free slots in {at}")));
        out
    }
}

/// A capture, opened.
pub struct View<'a> {
    taken: &'a RawCapture,
    core: &'a CoreFile,
    memory: &'a (dyn Memory + Sync),
    heap: Heap<'a>,
    gaps: Vec<Gap>,
    goroutines: u64,
}

/// How many collections had ended, and whether one was under way (0: none).
///
/// # Errors
/// The core cannot be read.
pub fn cycles(core: &Path) -> Result<(u32, u32)> {
    let loaded = load(core)?;
    let stats = MemStats::read(&loaded.raw.runtime, &*loaded.core).context("memory statistics")?;
    Ok((stats.gc_cycles, stats.gc_phase))
}

/// Opens a capture's memory and asks it.
///
/// # Errors
/// There is no graph of it.
pub fn read<R>(core: &Path, ask: impl FnOnce(&View<'_>) -> R) -> Result<R> {
    let loaded = load(core)?;
    let taken = &loaded.raw;
    let (constants, _) = taken.binary.constants(&taken.runtime)?;
    let memory = Layered { top: &*loaded.core, bottom: constants };
    let mut gaps = Vec::new();
    let symbols = Symbolizer::new(&memory, &taken.runtime.module, taken.runtime.layout);
    let salt = LabelSalt::default();
    let goroutines = decode_all_goroutines(&taken.runtime, &memory, &symbols, &taken.registers, &salt, &mut gaps);
    let Some(heap) = Heap::read(taken, &memory, &goroutines.live, &mut gaps) else {
        bail!("{}: no graph: {gaps:?}", core.display());
    };
    let goroutines = goroutines.live.len() as u64;
    Ok(ask(&View { taken, core: &loaded.core, memory: &memory, heap, gaps, goroutines }))
}

/// A core file with the evidence in it.
struct Opened {
    raw: RawCapture,
    core: Arc<CoreFile>,
    /// Whether all of it is of one moment.
    still: bool,
}

/// Opens a core, whoever wrote it.
fn load(core: &Path) -> Result<Opened> {
    let name = core.display().to_string();
    let file = CoreFile::open(File::open(core).with_context(|| name.clone())?, name)?;
    if is_saved(&file) {
        let loaded = RawCapture::load(file)?;
        return Ok(Opened { still: loaded.other == Some(WhenRead::Still), raw: loaded.raw, core: loaded.core });
    }
    Ok(Opened { raw: take_core(core, None)?, core: Arc::new(file), still: true })
}

/// Whether all of a kept memory is of one moment.
///
/// # Errors
/// It cannot be read.
pub fn is_still(core: &Path) -> Result<bool> {
    Ok(load(core)?.still)
}

impl View<'_> {
    /// What is true of it.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let rt = &self.taken.runtime;
        let objects = &self.heap.objects;
        let mut gaps = self.gaps.clone();
        let table = SpanTable::read(rt, self.memory, &mut gaps);
        let totals = self.heap.by_type();
        let live = self.heap.live();
        let mut pointers = Pointers::new(self);
        let mut reader = PointerReader::new(rt, self.memory, objects);
        reader.read_all(&mut pointers);
        reader.finish(&mut gaps);
        pointers.of_roots(&mut gaps);
        let finalizers = self.finalized();
        Seen {
            taken: self.heap.taken,
            table: table.map_or((0, 0), |t| (t.objects(), t.object_bytes())),
            live: (u64::from(live.objects), live.bytes),
            typed_bytes: totals.iter().filter(|t| t.is_known).map(|t| t.own.bytes).sum(),
            with_type: pointers.with_type,
            invalid_types: pointers.invalid_types,
            pointers: pointers.all,
            stale: pointers.stale,
            goroutines: (self.goroutines, self.heap.stacks().unsure_goroutines),
            finalizers: finalizers.len() as u64,
            gaps: gaps.iter().map(|g| format!("{}: {}", g.what, g.why)).collect(),
        }
    }

    /// Objects that its last collection kept.
    #[must_use]
    pub fn marks(&self) -> Marked {
        self.heap.objects.iter().filter(|o| o.mark == Mark::Marked).map(|o| (o.start.0, o.size)).collect()
    }

    /// Its objects, to be held against marks.
    #[must_use]
    pub fn objects(&self) -> Vec<judge::Seen> {
        let finalized = self.finalized();
        let of = |o: lastgasp_goruntime::Object| judge::Seen {
            start: o.start.0,
            size: o.size,
            mark: o.mark,
            live: self.is_live(o.start),
            finalized: finalized.contains(&o.start.0),
            tiny: self.heap.objects.spans().get(o.span).is_some_and(lastgasp_goruntime::ObjectSpan::is_tiny),
        };
        self.heap.objects.iter().map(of).collect()
    }

    fn is_live(&self, at: Addr) -> bool {
        let object = self.heap.graph.layout().object_at(at.0);
        object.is_some_and(|o| self.heap.dominators.live().contains(o.0 as usize))
    }

    /// Slots of objects of which a finalizer is set.
    fn finalized(&self) -> HashSet<u64> {
        let objects = &self.heap.objects;
        let all = specials(&self.taken.runtime, self.memory, objects, &mut Vec::new());
        let finalizers = all.iter().filter(|s| s.kind == SpecialKind::Finalizer);
        let at = finalizers.filter_map(|s| objects.find(s.object(objects)?));
        at.map(|o| o.start.0).collect()
    }
}

impl About for View<'_> {
    fn processors(&self) -> u64 {
        // There are no more: the lab's programs leave GOMAXPROCS as it is.
        std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
    }

    fn name(&self, start: u64) -> String {
        let Some(o) = self.heap.objects.find(Addr(start)) else { return format!("{start:#x}") };
        let layout = self.heap.graph.layout();
        let known = layout.object_at(start).and_then(|id| self.heap.type_of(id)).map(|(_, name)| name.to_owned());
        let span = self.heap.objects.spans().get(o.span);
        let words: Vec<String> = (0..o.size.min(64) / 8)
            .map(|i| self.memory.u64(o.start.plus(i * 8)).map_or("?".into(), |w| format!("{w:x}")))
            .collect();
        let object = AddrRange::sized(o.start, o.size);
        let stands = places(&self.taken.runtime, &self.heap, self.core, object);
        let stands = if stands.is_empty() { "nowhere".into() } else { stands.join(", ") };
        format!(
            "{start:#x}, {} bytes{}, {:?}: {}; {}; its address stands {stands}",
            o.size,
            if span.is_some_and(lastgasp_goruntime::ObjectSpan::noscan) { " without pointers" } else { "" },
            o.mark,
            known.unwrap_or_else(|| "of an unknown type".into()),
            words.join(" ")
        )
    }

    fn first_of(&self, starts: &[u64]) -> Vec<u64> {
        struct Between<'a> {
            objects: &'a HeapObjects,
            of: HashSet<u32>,
            led_to: HashSet<u32>,
        }
        impl PointerVisitor for Between<'_> {
            fn pointer(&mut self, object: u32, _: u64, to: Addr) {
                if self.of.contains(&object)
                    && let Some(to) = self.objects.number_of(to).filter(|to| *to != object)
                {
                    self.led_to.insert(to);
                }
            }
        }
        if starts.is_empty() {
            return Vec::new();
        }
        let objects = &self.heap.objects;
        let of = starts.iter().filter_map(|at| objects.number_of(Addr(*at))).collect();
        let mut between = Between { objects, of, led_to: HashSet::new() };
        PointerReader::new(&self.taken.runtime, self.memory, objects).read_all(&mut between);
        let is_led_to = |at: u64| objects.number_of(Addr(at)).is_some_and(|n| between.led_to.contains(&n));
        let (inner, first): (Vec<u64>, Vec<u64>) = starts.iter().copied().partition(|at| is_led_to(*at));
        // A ring leads to itself.
        if first.is_empty() { inner } else { first }
    }
}

/// Where pointers of what is live lead.
struct Pointers<'a> {
    view: &'a View<'a>,
    types: TypeReader<'a>,
    valid: HashMap<Addr, Option<u64>>,
    is_live: bool,
    /// Span and slot of the object that comes.
    slot: (usize, u32),
    all: u64,
    with_type: u64,
    invalid_types: u64,
    stale: BTreeMap<String, u64>,
}

impl<'a> Pointers<'a> {
    fn new(view: &'a View<'a>) -> Self {
        Self {
            view,
            types: TypeReader::new(&view.taken.runtime, view.memory),
            valid: HashMap::new(),
            is_live: false,
            slot: (0, 0),
            all: 0,
            with_type: 0,
            invalid_types: 0,
            stale: BTreeMap::new(),
        }
    }

    /// Counts a pointer; `from` says where it stands.
    fn note(&mut self, to: Addr, from: impl FnOnce(&Self) -> String) {
        self.all += 1;
        let objects = &self.view.heap.objects;
        if objects.find(to).is_some() {
            return;
        }
        let spans = objects.spans();
        let span = spans.partition_point(|s| s.start <= to).checked_sub(1).and_then(|i| spans.get(i));
        // Behind the last slot there is room that no object has.
        let is_slot = span.is_some_and(|s| to.0 - s.start.0 < s.elem_size.saturating_mul(u64::from(s.slots)));
        if is_slot {
            let from = from(self);
            *self.stale.entry(from).or_default() += 1;
        }
    }

    fn of_roots(&mut self, gaps: &mut Vec<Gap>) {
        let view = self.view;
        let rt = &view.taken.runtime;
        let mut words = Vec::new();
        variable_pointers(rt, view.memory, gaps, |section, at, to| words.push((section.name, at, to)));
        for (section, at, to) in words {
            self.note(to, |_| format!("{section} {at}"));
        }
        let cached = BlockCache::new(view.memory);
        let symbols = Symbolizer::new(&cached, &rt.module, rt.layout);
        let mut stacks = StackReader::new(rt, view.memory, &symbols, &view.taken.registers);
        let mut held = Vec::new();
        for g in stacks.goroutines(gaps) {
            stacks.read(g, &mut |root| held.extend((!root.unsure).then_some(root)));
        }
        stacks.finish(gaps);
        for root in held {
            self.note(root.to, |_| match root.place {
                lastgasp_goruntime::StackPlace::Frame(pc) => {
                    symbols.innermost(pc).map_or_else(|| format!("{pc}"), |f| format!("frames of {}", f.function))
                }
                lastgasp_goruntime::StackPlace::Goroutine => "a goroutine itself".into(),
            });
        }
    }
}

impl PointerVisitor for Pointers<'_> {
    fn object(&mut self, span: usize, slot: u32, _: u32) {
        self.slot = (span, slot);
        let at = self.view.heap.objects.spans().get(span).map(|s| s.start.plus(s.elem_size * u64::from(slot)));
        self.is_live = at.is_some_and(|at| self.view.is_live(at));
    }

    fn object_type(&mut self, _: u32, type_at: Addr) {
        self.with_type += 1;
        let types = &mut self.types;
        let size = *self.valid.entry(type_at).or_insert_with(|| types.get(type_at).map(|t| t.size));
        let span = self.view.heap.objects.spans().get(self.slot.0);
        let room = span.map_or(0, |s| s.elem_size - s.header());
        if size.is_none_or(|size| size > room) {
            self.invalid_types += 1;
        }
    }

    fn pointer(&mut self, _: u32, offset: u64, to: Addr) {
        if self.is_live {
            let (span, slot) = self.slot;
            self.note(to, |this| {
                let heap = &this.view.heap;
                let at = heap.objects.spans().get(span).map(|s| s.start.plus(s.elem_size * u64::from(slot)));
                let object = at.and_then(|at| heap.graph.layout().object_at(at.0));
                let name = object.and_then(|o| heap.type_of(o)).map_or("objects of an unknown type", |(_, name)| name);
                format!("{name} at {offset}")
            });
        }
    }
}
