//! The report as one JSON document: the contract of docs/formats/report-json.md, a struct for each object.
//! The HTML page carries it and computes nothing of its own, nor is anything computed here.

mod death;
mod findings;
mod goroutines;
mod graph;
mod memory;
mod origin;
mod profile;
mod timeline;
mod verdicts;

use lastgasp_diagnosis::{Diagnosis, Facts};
use serde::Serialize;
use serde_json::Value;

use death::{Death, Neighbours};
use findings::{Act, Feed, Finding, LimitWhatIf, RuledOut, Verdict, Window};
use goroutines::Goroutines;
use graph::Graph;
pub(crate) use graph::why_document;
pub use graph::{census_file, types_file};
use memory::{Gc, Heap, Memory};
use origin::{Capture, Provenance, Target};
use profile::{Pprof, Profile};
use timeline::Timeline;
pub(crate) use verdicts::goroutine_document;
pub use verdicts::goroutines_file;

/// Name and version of the contract.
const SCHEMA: &str = "lastgasp.report/1";

/// The document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    capture: Capture<'a>,
    target: Target<'a>,
    verdict: Verdict<'a>,
    death: Option<Death<'a>>,
    findings: Vec<Finding<'a>>,
    do_now: Vec<Act<'a>>,
    not_it: Vec<RuledOut<'a>>,
    feeds: Vec<Feed>,
    unknown: &'a [String],
    window: Option<Window>,
    limit_what_if: Vec<LimitWhatIf>,
    memory: Memory,
    neighbours: Option<Neighbours<'a>>,
    heap: Option<Heap<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<Graph<'a>>,
    gc: Gc,
    profile: Profile<'a>,
    pprof: Pprof,
    goroutines: Goroutines<'a>,
    timeline: Timeline,
    provenance: Provenance<'a>,
}

/// The document of a capture. `path` is where the capture stands, if it does.
#[must_use]
pub fn document(facts: &Facts, d: &Diagnosis, path: Option<&str>) -> Value {
    let document = Document {
        schema: SCHEMA,
        capture: Capture::of(facts, path),
        target: Target::of(facts),
        verdict: Verdict::of(facts, d),
        death: Death::of(facts),
        findings: d.findings.iter().map(Finding::of).collect(),
        do_now: d.verdict().map(Act::of).unwrap_or_default(),
        not_it: d.ruled_out.iter().map(RuledOut::of).collect(),
        feeds: Feed::of(facts),
        unknown: &d.unknown,
        window: d.window.as_ref().map(Window::of),
        limit_what_if: d.limits.iter().map(LimitWhatIf::of).collect(),
        memory: Memory::of(facts),
        neighbours: facts.neighbours.as_ref().map(Neighbours::of),
        heap: facts.heap.as_ref().map(Heap::of),
        graph: facts.graph.as_ref().map(Graph::of),
        gc: Gc::of(facts),
        profile: Profile::of(facts, d),
        pprof: Pprof::of(facts, d),
        goroutines: Goroutines::of(facts, d),
        timeline: Timeline::of(facts, d),
        provenance: Provenance::of(facts),
    };
    // Keys are strings, and no value refuses to be written.
    serde_json::to_value(document).unwrap_or_default()
}

/// The field `death` of the document, for messages that tell of it alone; null if it is not known that the
/// target died.
#[must_use]
pub fn death(facts: &Facts) -> Value {
    serde_json::to_value(Death::of(facts)).unwrap_or_default()
}
