//! Whether anybody can still wake blocked goroutines, and who has pointers to what they wait for: put to the
//! facts by what is reckoned over the heap's graph.

use std::time::Instant;

use lastgasp_diagnosis::facts::{
    BlockedGoroutine, BlockedGoroutines, Referrer, ReferrerPlace, WaitObject, WaitReach, WakeUp,
};
use lastgasp_diagnosis::way;
use lastgasp_goheap::{By, Heap, Liveness, Reached, Referring, ReferringPlace, Ways};
use lastgasp_goruntime::waits::{Awaited, Blocked, Operation, Waiting, What};
use lastgasp_heapgraph::ObjectId;
use lastgasp_inferior::{Addr, AddrRange};
use lastgasp_observe::raw_capture::RawCapture;
use rustc_hash::FxHashMap;

/// Referrers of one object that are told.
const MOST_REFERRERS: usize = 100;
/// Objects of which it is told by which way they are reached: those that most wait for.
const MOST_WAYS: usize = 1000;
/// Bytes of a word of package variables.
const WORD: u64 = 8;

/// Puts to `facts`, made of `waiting`, what is reckoned over the heap's graph.
pub(crate) fn join(facts: &mut BlockedGoroutines, waiting: &Waiting, heap: &Heap<'_>, taken: &RawCapture) {
    let began = Instant::now();
    let alive = heap.liveness(waiting);
    let by_goid: FxHashMap<u64, usize> = (0..).zip(&waiting.goroutines).map(|(i, g)| (g.goid, i)).collect();
    for each in &mut facts.each {
        if let Some((index, g)) = by_goid.get(&each.id).and_then(|i| Some((*i, waiting.goroutines.get(*i)?))) {
            woken(each, g, index, heap, &alive);
        }
    }
    let referrers = heap.referrers(waiting, &alive, MOST_REFERRERS);
    let each = facts.objects.iter_mut().zip(&waiting.objects).zip(&alive.objects).zip(referrers);
    for (((object, awaited), (reached, _)), (referrers, total)) in each {
        object.reach = reach(*reached);
        object.referrers = referrers.into_iter().map(referrer).collect();
        object.referrers_total = total;
        name_variable(object, awaited, heap, taken);
    }
    name_ways(facts, waiting, heap, &alive);
    facts.no_proof = alive.gaps.iter().map(|gap| format!("not all references were read: {gap}")).collect();
    facts.no_proof.extend(waiting.unsure.iter().cloned());
    facts.rounds = alive.rounds;
    facts.took_ns = began.elapsed().as_nanos() as u64;
}

/// Whether and by what a goroutine is woken.
fn woken(each: &mut BlockedGoroutine, g: &Blocked, index: usize, heap: &Heap<'_>, alive: &Liveness) {
    let (reached, by) = alive.goroutines.get(index).copied().unwrap_or_default();
    each.retained_bytes = heap.retained_by(alive, index);
    let is_immortal = alive.immortal.get(index).copied().unwrap_or_default();
    each.for_itself = alive.for_itself.get(index).copied().unwrap_or_default();
    each.wake_up = match reached {
        Reached::Never => WakeUp::Nothing,
        _ if is_immortal => WakeUp::OwnTimer,
        Reached::ByVariables => WakeUp::OnlyGlobals,
        Reached::ByRunning => of_itself(g),
    };
    if reached != Reached::Never && !is_immortal {
        each.by = words(by, heap);
        each.by_goroutine = match by {
            By::Root(root) => heap.goroutine_of(root).unwrap_or_default(),
            By::Itself | By::Timer | By::Scheduler => 0,
        };
    }
}

/// Of one that can be woken: by what, as far as what it does says so.
fn of_itself(g: &Blocked) -> WakeUp {
    let is = |operation| g.cases.iter().any(|case| case.operation == operation);
    let outside = [
        Operation::Read,
        Operation::Write,
        Operation::ReadOrWrite,
        Operation::SystemCall,
        Operation::C,
        Operation::Collector,
        Operation::Runtime,
    ];
    if is(Operation::Sleep) {
        return WakeUp::OwnTimer;
    }
    if outside.into_iter().any(is) {
        return WakeUp::Outside;
    }
    // What it waits for was not found: somebody may have it.
    let is_known = g.cases.iter().any(|case| case.object.is_some());
    if is_known { WakeUp::Reachable } else { WakeUp::default() }
}

/// From where something is reached, in words.
fn words(by: By, heap: &Heap<'_>) -> String {
    match by {
        By::Itself => String::new(),
        By::Timer => "a timer that is set".into(),
        By::Scheduler => "the scheduler, which was at work".into(),
        By::Root(root) => heap.root_words(root),
    }
}

fn reach(reached: Reached) -> WaitReach {
    match reached {
        Reached::Never => WaitReach::Nothing,
        Reached::ByVariables => WaitReach::Globals,
        Reached::ByRunning => WaitReach::Runnable,
    }
}

fn referrer(r: Referring) -> Referrer {
    let place = match r.place {
        ReferringPlace::Frame | ReferringPlace::Goroutine => ReferrerPlace::Frame,
        ReferringPlace::Deferred => ReferrerPlace::Deferred,
        ReferringPlace::Variable => ReferrerPlace::Global,
        ReferringPlace::Runtime => ReferrerPlace::Runtime,
        ReferringPlace::Object => ReferrerPlace::Object,
    };
    Referrer { goroutine: r.goroutine, place, name: r.name, can_run: r.can_run }
}

/// A lock or a channel that is no object of the heap but a package variable itself.
fn name_variable(object: &mut WaitObject, awaited: &Awaited, heap: &Heap<'_>, taken: &RawCapture) {
    let at = awaited.at;
    let is_variable = heap.graph.layout().object_at(at.0).is_none() && heap.runtime.module.variables.contains(at);
    if !is_variable {
        return;
    }
    let range = AddrRange::sized(Addr(at.0 & !(WORD - 1)), WORD);
    let variable = taken.binary.variables(range).into_iter().find(|v| v.range.contains(at));
    let name = variable.and_then(|v| taken.binary.name_of(&v));
    object.way = name.map_or_else(|| "a package variable".to_owned(), |name| format!("global {name}"));
}

/// Whether what is said of a slot is a type: of others it is how large they are, or that several share one.
fn is_type(name: &str) -> bool {
    !name.starts_with("tiny block") && !name.starts_with("unknown")
}

/// By which way objects of the heap are reached, and which object a lock is part of.
fn name_ways(facts: &mut BlockedGoroutines, waiting: &Waiting, heap: &Heap<'_>, alive: &Liveness) {
    let layout = heap.graph.layout();
    let found =
        waiting.objects.iter().zip(&alive.objects).enumerate().filter_map(|(index, (object, (reached, _)))| {
            Some((index, object, *reached, layout.object_at(object.at.0)?))
        });
    let mut found: Vec<(usize, &Awaited, Reached, ObjectId)> = found.collect();
    found.sort_by_key(|(index, object, ..)| (std::cmp::Reverse(object.waiters), *index));
    if found.is_empty() {
        return;
    }
    let reached = found.iter().filter(|(_, _, reached, _)| *reached != Reached::Never).take(MOST_WAYS);
    let (indices, objects): (Vec<usize>, Vec<ObjectId>) = reached.map(|(index, _, _, slot)| (*index, *slot)).unzip();
    let ways = Ways::from_those(heap, |root| heap.leads(alive, root), &objects);
    let steps: FxHashMap<usize, Vec<String>> = indices.into_iter().zip(ways.to_many(&objects)).collect();
    for (index, awaited, _, slot) in found {
        let Some(object) = facts.objects.get_mut(index) else { continue };
        let is_channel = matches!(awaited.what, What::Channel(_));
        let of = heap.type_of(slot).map(|(_, name)| name.to_owned()).filter(|name| is_type(name)).unwrap_or_default();
        let mut steps = steps.get(&index).cloned().unwrap_or_default();
        if !is_channel {
            let field = ways.field_at(slot, awaited.at);
            if !steps.is_empty() && !field.is_empty() {
                steps.push(field);
            }
            if object.type_name.is_empty() {
                object.type_name.clone_from(&of);
            }
        }
        // The element's type stands beside it.
        object.way = way(&steps, if is_channel && !steps.is_empty() { &of } else { "" });
    }
}
