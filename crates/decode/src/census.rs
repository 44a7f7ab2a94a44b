//! What the flight ring knows of collections, as facts: whether or not there is a graph of the heap.

use lastgasp_diagnosis::facts::GraphCensus;
use lastgasp_goruntime::Symbolizer;
use lastgasp_goruntime::collections::HeaderKind;
use lastgasp_goruntime::quick_census::{Anchor, Way};
use lastgasp_inferior::Addr;
use lastgasp_observe::raw_capture::{RawCapture, Variable};
use lastgasp_observe::target::census::KnownCollection;

/// Collections that are kept: those that grew by the largest factor first, then the largest.
const MOST: usize = 100;

/// The collections to which a way led at the capture, and what they were before.
pub(crate) fn census(taken: &RawCapture, symbols: &Symbolizer<'_>) -> Vec<GraphCensus> {
    let mut all: Vec<(f64, GraphCensus, &Way)> =
        taken.census.collections.iter().filter_map(|c| known(taken, c)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.elements.cmp(&a.1.elements)));
    all.truncate(MOST);
    let has_variables = all.iter().any(|(.., way)| matches!(way.anchor, Anchor::Variable(_)));
    let named = if has_variables { taken.binary.variables(taken.runtime.module.variables) } else { Vec::new() };
    let told = |(_, row, way): (f64, GraphCensus, &Way)| {
        Some(GraphCensus { owner: owner(taken, symbols, &named, way)?, ..row })
    };
    all.into_iter().filter_map(told).collect()
}

/// A collection without its owner, and the factor by which it grew.
fn known<'a>(taken: &'a RawCapture, c: &'a KnownCollection) -> Option<(f64, GraphCensus, &'a Way)> {
    let now = c.now?;
    let ago = |t: u64| taken.census.t_ms.saturating_sub(t);
    let looks: Vec<(u64, u64)> = taken.census.looks(c).map(|(t, elements)| (ago(t), elements)).collect();
    // The last look at which it was another: half of it, or less. Where none was, the first.
    let small = looks.iter().rev().find(|(_, elements)| *elements <= now.elements / 2);
    let before = small.or_else(|| looks.first()).copied();
    let (kind, at) = match c.way.kind {
        HeaderKind::Map => ("map", now.header),
        _ => ("slice", now.array),
    };
    let row = GraphCensus {
        kind: kind.into(),
        elements: now.elements,
        fill: if now.capacity > 0 { now.elements as f64 / now.capacity as f64 } else { 0.0 },
        before: before.map(|(_, elements)| elements),
        before_ms_ago: before.map(|(ms, _)| ms),
        looks,
        count: 1,
        at: at.0,
        ..GraphCensus::default()
    };
    let factor = before.map_or(1.0, |(_, n)| now.elements as f64 / n.max(1) as f64);
    Some((factor, row, &c.way))
}

/// Whose it is, as far as the way tells: the variable, or the function of the frame, and the bytes from
/// pointer to pointer. `None` for the runtime's own.
fn owner(taken: &RawCapture, symbols: &Symbolizer<'_>, named: &[Variable], way: &Way) -> Option<String> {
    let root = match way.anchor {
        Anchor::Variable(at) => format!("global {}", variable(taken, named, at)),
        Anchor::Stack(s) => {
            let frames = symbols.frames(Addr(s.pc.0.saturating_sub(1)));
            let function = frames.last().map_or_else(|| s.pc.to_string(), |f| f.function.clone());
            format!("goroutine in {function}")
        }
    };
    if root.starts_with("global runtime.") {
        return None;
    }
    let steps: Vec<String> = way.hops.iter().map(|h| format!("{:+}", h.offset.cast_signed())).collect();
    Some(if steps.is_empty() { root } else { format!("{root} [{}]", steps.join(" ")) })
}

fn variable(taken: &RawCapture, named: &[Variable], at: Addr) -> String {
    let index = named.partition_point(|v| v.range.start <= at).checked_sub(1);
    let found = index.and_then(|i| named.get(i)).filter(|v| v.range.contains(at));
    found.and_then(|v| taken.binary.name_of(v)).unwrap_or_else(|| {
        let program = taken.runtime.build_info.path.rsplit('/').next().unwrap_or_default();
        format!("{program} variables+{:#x}", at.0.saturating_sub(taken.runtime.module.variables.start.0))
    })
}
