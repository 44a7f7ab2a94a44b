//! docs/formats/report-json.md against what is written: every field is documented with its type, and nothing
//! else is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;
use lastgasp_diagnosis::facts::{
    Amount, BlockedGoroutine, BlockedGoroutines, Call, Charge, CopyHolder, Death, DeathsBefore, Descriptor, Event,
    Feed, Figure, Gap, Gc, GenerationBefore, Goroutine, GoroutineLook, GraphCalls, GraphCensus, GraphCopies,
    GraphFacts, GraphLeader, GraphMade, GraphNode, GraphPath, GraphPlace, GraphRoot, GraphSite, GraphType, GraphWaste,
    Group, Heap, HeapClass, Kind, LargeObjects, LockState, Neighbour, Neighbours, Part, Place, Referrer, ReferrerPlace,
    Residency, Sample, Site, Stack, StartedAt, Vcs, Wait, WaitObject, WaitObjectKind, WaitOperation, WakeUp,
};
use lastgasp_diagnosis::{Facts, GoroutineVerdicts, diagnose};
use lastgasp_lab::contract::Contract;
use lastgasp_report::{diff_json, document, goroutines_file, why_goroutine_json, why_json};
use serde_json::Value;

/// Facts of which every field of a report can be made: the recorded incident, with what it lacks.
fn everything() -> Vec<Facts> {
    let mut json = String::new();
    GzDecoder::new(&include_bytes!("fixtures/incident.facts.json.gz")[..]).read_to_string(&mut json).unwrap();
    let mut facts: Facts = serde_json::from_str(&json).unwrap();
    facts.capture.gaps.push(Gap::new("stacks", "no room"));
    facts.target.vcs =
        Some(Vcs { revision: "abc".into(), time: "2026-11-23T01:02:13Z".into(), modified: "true".into() });
    facts.target.build_id = Some("id".into());
    facts.target.container = Some("c1".into());
    facts.target.started_unix = 1_700_000_000;
    facts.gc.memory_limit = Some(1 << 40);
    facts.residency = Some(Residency::default());
    facts.charge = Some(Charge::default());
    facts.feeds = vec![Feed { name: "releases".into(), detail: "the cluster".into() }];
    facts.timeline.events.push(Event { t_ms: 1, kind: "attach".into(), text: "watched".into() });
    let class = HeapClass { size: 16, objects: 4, ..HeapClass::default() };
    let large = LargeObjects { count: 1, size: 1 << 20, element: Some("byte".into()), ..LargeObjects::default() };
    facts.heap = Some(Heap { classes: vec![class], large: vec![large], ..Heap::default() });
    let neighbour = Neighbour { name: "sh".into(), processes: 1, pids: vec![7], ..Neighbour::default() };
    facts.graph = Some(graph());
    facts.neighbours = Some(Neighbours { group: "/svc".into(), others: vec![neighbour], ..Neighbours::default() });
    let part = Part { folder: "a-pre-kill".into(), gives: vec![Figure::Timeline], ..Part::default() };
    let since = Some("2026-11-23T01:02:13Z".into());
    facts.death = Some(Death {
        parts: vec![part, Part::default()],
        before: Some(DeathsBefore { last_hour: 1, last_day: 1, since, last: None }),
    });
    facts.target.limit_bytes = facts.timeline.samples.last().map(|s| s.usage_bytes);
    // The same with a leak of goroutines, whose subject is a `go` statement.
    let mut leak = facts.clone();
    leak.profile.sites.clear();
    leak.profile.baseline_gc = Some(Gc::default());
    leak.goroutines.total = 50_000;
    leak.goroutines.stack_bytes = 600_000_000;
    let group = Group { count: 50_000, stack: vec![0], created_by: Some(1), ..Group::default() };
    leak.goroutines.groups = vec![group];
    // With a collection that has jumped, and a variable that holds most.
    let mut held = leak.clone();
    held.graph = Some(graph());
    // And of nothing: what is absent there is documented all the same.
    vec![facts, leak, held, blocked(), leaking_after_a_restart(), Facts::default()]
}

/// Goroutines that wait for a channel, a lock and its holder, a WaitGroup and a peer.
fn blocked() -> Facts {
    let mut facts = Facts::default();
    facts.frames = vec![lastgasp_diagnosis::facts::Frame::default()];
    let list = &mut facts.goroutines.list;
    list.calls = vec![Call::default()];
    list.stacks = vec![Stack { calls: vec![0] }];
    list.places = vec![Place::default()];
    list.kinds = vec![Kind { wait_reason: "sync.Mutex.Lock".into(), created_by: Some(0), ..Kind::default() }];
    list.each = (5..10).map(|id| Goroutine { id, ..Goroutine::default() }).collect();
    let unlock = Referrer {
        goroutine: 6,
        place: ReferrerPlace::Deferred,
        name: "sync.(*Mutex).Unlock".into(),
        ..Referrer::default()
    };
    let object = |kind| WaitObject {
        kind,
        address: 0xc000,
        type_name: "int".into(),
        way: "global x".into(),
        ..WaitObject::default()
    };
    let peer = Descriptor {
        fd: Some(7),
        what: "tcp".into(),
        peer: "10.0.0.1:80".into(),
        state: "ESTAB".into(),
        receive_queue: Some(0),
        send_queue: Some(0),
        has_deadline: Some(true),
        deadline_in_ns: Some(1),
        ..Descriptor::default()
    };
    let objects = vec![
        WaitObject { is_timer: true, reach: "nothing".into(), ..object(WaitObjectKind::Channel) },
        WaitObject {
            lock: Some(LockState { locked: true, ..LockState::default() }),
            referrers: vec![unlock],
            ..object(WaitObjectKind::RwMutex)
        },
        WaitObject { missing_done: Some(1), ..object(WaitObjectKind::WaitGroup) },
        WaitObject { descriptor: Some(peer), ..object(WaitObjectKind::Descriptor) },
    ];
    let waits = |id, operation, object| BlockedGoroutine {
        id,
        waits: vec![Wait { operation, object: Some(object) }],
        wake_up: WakeUp::Nothing,
        by: "main.x".into(),
        retained_bytes: Some(1),
        ..BlockedGoroutine::default()
    };
    let each = vec![
        waits(5, WaitOperation::Send, 0),
        waits(6, WaitOperation::WaitGroup, 2),
        waits(7, WaitOperation::WriteLock, 1),
        waits(8, WaitOperation::Read, 3),
    ];
    let no_proof = vec!["a gap".into()];
    let blocked = BlockedGoroutines { each, objects, total: 4, no_proof, ..BlockedGoroutines::default() };
    facts.graph = Some(GraphFacts { blocked: Some(blocked), ..GraphFacts::default() });
    // Memory that grows, and goroutines that come later.
    facts.timeline.samples = (0..300)
        .map(|i| Sample {
            t_ms: i * 100,
            usage_bytes: 100_000_000 + i.saturating_sub(100) * 1_000_000,
            goroutines: 10 + i.saturating_sub(200) * 5,
            ..Sample::default()
        })
        .collect();
    (facts.capture.t_ms, facts.target.age_ms) = (30_000, Some(60_000));
    let before = Some(DeathsBefore { last_hour: 1, ..DeathsBefore::default() });
    facts.death = Some(Death { before, ..Death::default() });
    facts
}

/// Two hundred goroutines at a channel that nobody else knows, counted as they came; in a process that was
/// started after a death of its service, by the same function.
fn leaking_after_a_restart() -> Facts {
    let mut facts = blocked();
    let list = &mut facts.goroutines.list;
    list.each = (5..205).map(|id| Goroutine { id, ..Goroutine::default() }).collect();
    let blocked = facts.graph.as_mut().and_then(|g| g.blocked.as_mut()).unwrap();
    // What they hold is what memory grows by.
    let one = BlockedGoroutine { retained_bytes: Some(2_000_000), ..blocked.each[0].clone() };
    blocked.each = (5..205).map(|id| BlockedGoroutine { id, ..one.clone() }).collect();
    let look = |t_ms, newest| GoroutineLook { t_ms, newest, live: newest, one_in: 1 };
    facts.timeline.goroutines.looks = vec![look(100, 10), look(1_500, 2_000), look(3_000, 4_000)];
    let counts = vec![Some(4), Some(80), Some(150)];
    facts.timeline.goroutines.sites = vec![StartedAt { counts, ..StartedAt::default() }];
    facts.timeline.samples = (0..40)
        .map(|i| Sample {
            t_ms: i * 100,
            usage_bytes: 5_000_000 + i * 10_000_000,
            goroutines: 4 + i * 10,
            ..Sample::default()
        })
        .collect();
    facts.target.limit_bytes = Some(1_000_000_000);
    (facts.capture.t_ms, facts.target.age_ms) = (3_900, Some(4_000));
    facts.capture.taken_at = "2026-11-26T12:00:44Z".into();
    facts.target.build_id = Some("b1".into());
    let current = Amount { bytes: 400_000_000, objects: 1000 };
    facts.profile.sites = vec![Site { current, stack: vec![0], ..Site::default() }];
    let frame = lastgasp_diagnosis::facts::Frame { function: "main.build".into(), ..Default::default() };
    facts.timeline.goroutines.sites[0].created_by = frame.clone();
    facts.frames = vec![frame];
    let last = GenerationBefore {
        pid: 41,
        build_id: Some("b1".into()),
        memory_unix_ms: Some(1_795_694_430_000),
        died_unix_ms: 1_795_694_438_000,
        goroutines_at_onset: 238,
        goroutines_at_end: 245,
        memory_first: true,
        culprit: Some("main.build".into()),
    };
    let before = Some(DeathsBefore { last_hour: 1, last: Some(last), ..DeathsBefore::default() });
    facts.death = Some(Death { before, ..Death::default() });
    facts
}

#[test]
fn the_file_of_goroutines_is_as_documented() {
    let report = include_str!("../../../docs/formats/report-json.md").replace("## document", "## report");
    let file = include_str!("../../../docs/formats/goroutines-json.md");
    let contract = Contract::of(&format!("{report}\n{file}"));
    let facts = blocked();
    let verdicts = GoroutineVerdicts::of(&facts, None);
    let mut seen = BTreeSet::new();
    contract.check(&goroutines_file(&facts, &verdicts).unwrap(), &mut seen);
    let of = |f: &String| f.starts_with("document.") || f.starts_with("goroutine_verdict.") || f.starts_with("holder.");
    let not_written: Vec<String> = contract.not_in(&seen).into_iter().filter(of).collect();
    assert!(not_written.is_empty(), "{not_written:?}");
    assert_eq!(goroutines_file(&Facts::default(), &verdicts), None, "of a capture in which nobody was followed");
}

/// A heap graph with one of each.
fn graph() -> GraphFacts {
    let holder = CopyHolder { function: "main.(*Server).ugcTab".into(), goroutines: 158, copies: 158 };
    GraphFacts {
        source: "core".into(),
        roots_not_read: vec!["finalizers".into()],
        gaps: vec!["the stacks of 3 goroutines".into()],
        types: vec![GraphType { name: "main.entry".into(), ..GraphType::default() }],
        live_bytes: 1_000_000_000,
        roots: vec![GraphRoot {
            kind: "global".into(),
            name: "main.cache".into(),
            retained_bytes: 900_000_000,
            made: vec![GraphMade { places: vec![GraphPlace::default()], ..GraphMade::default() }],
            written: vec![GraphPlace::default()],
            ..GraphRoot::default()
        }],
        shared_made: vec![GraphMade::default()],
        library_calls: vec![GraphCalls { call: "mmap".into(), places: vec![GraphPlace::default()] }],
        sites: vec![GraphSite { stack: vec!["main.build".into()], ..GraphSite::default() }],
        paths: vec![GraphPath { steps: vec!["global main.cache".into()], ..GraphPath::default() }],
        tree: vec![
            GraphNode::default(),
            GraphNode { parent: Some(0), led_to_by: vec![GraphLeader::default()], ..GraphNode::default() },
        ],
        census: vec![GraphCensus {
            elements: 230_000,
            before: Some(312),
            before_ms_ago: Some(4000),
            looks: vec![(4000, 312)],
            ..GraphCensus::default()
        }],
        copies: vec![GraphCopies { holders: vec![holder], ..GraphCopies::default() }],
        waste: vec![GraphWaste::default()],
        ..GraphFacts::default()
    }
}

fn contract() -> Contract {
    Contract::of(include_str!("../../../docs/formats/report-json.md"))
}

#[test]
fn the_document_is_as_documented() {
    let contract = contract();
    let mut seen = BTreeSet::new();
    for facts in everything() {
        let document = document(&facts, &diagnose(&facts), Some("/store/capture"));
        contract.check(&document, &mut seen);
    }
    let not_written = contract.not_in(&seen);
    assert!(not_written.is_empty(), "documented, and written of no facts here: {not_written:?}");
}

/// A field that the facts above do not bring to light is found here.
#[test]
fn every_field_of_the_structs_is_documented() {
    let contract = contract();
    let documented = contract.fields();
    let mut fields = 0;
    // Cargo runs tests in the package's folder.
    for file in sources("src/document") {
        let source = std::fs::read_to_string(file).unwrap();
        let (mut inside, mut flat, mut renamed) = (false, false, None);
        for line in source.lines() {
            inside = (inside || line.contains("struct ")) && line != "}";
            let Some((name, _)) = line.trim().split_once(": ").filter(|_| inside && line.ends_with(',')) else {
                flat |= line.contains("serde(flatten)");
                renamed = line.trim().strip_prefix("#[serde(rename = \"").and_then(|l| l.strip_suffix("\")]"));
                continue;
            };
            let name = renamed.take().unwrap_or(name);
            assert!(flat || documented.contains(name), "{name} is not documented");
            fields += usize::from(!flat);
            flat = false;
        }
    }
    assert!(fields > 100, "{fields}");
}

/// All files below a folder.
fn sources(folder: &str) -> Vec<std::path::PathBuf> {
    let (mut folders, mut files) = (vec![std::path::PathBuf::from(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { &mut folders } else { &mut files }.push(path);
        }
    }
    files
}

/// `lastgasp why` has the document's own tables, and one of an object that `crates/cli` writes.
#[test]
fn the_answer_of_why_is_as_documented() {
    let report = include_str!("../../../docs/formats/report-json.md").replace("## document", "## report");
    let why = include_str!("../../../docs/formats/why-json.md");
    let contract = Contract::of(&format!("{report}\n{why}"));
    let mut g = graph();
    let holder = "main.cache".to_owned();
    g.census[0].owner = "global main.cache .avids".into();
    g.copies[0].holders[0].function = holder.clone();
    g.waste[0].owner = "global main.cache".into();
    g.types[0].name = holder.clone();
    g.sites[0].stack = vec![holder];
    let mut seen = BTreeSet::new();
    contract.check(&why_json(&g, "main.cache").unwrap(), &mut seen);
    let facts = blocked();
    let verdicts = GoroutineVerdicts::of(&facts, None);
    contract.check(&why_goroutine_json(&facts, &verdicts, "goroutine:7", 7).unwrap(), &mut seen);
    assert_eq!(why_goroutine_json(&facts, &verdicts, "goroutine:99", 99), None);
    let not_written: Vec<String> =
        contract.not_in(&seen).into_iter().filter(|f| f.starts_with("document.") && f != "document.object").collect();
    assert!(not_written.is_empty(), "{not_written:?}");
}

#[test]
fn the_answer_of_diff_is_as_documented() {
    let contract = Contract::of(include_str!("../../../docs/formats/diff-json.md"));
    let mut before = everything().swap_remove(0);
    let after = before.clone();
    before.target.service = "another".into();
    before.graph.as_mut().unwrap().types[0].bytes += 1;
    before.graph.as_mut().unwrap().roots.clear();
    before.graph.as_mut().unwrap().census[0].elements = 1;
    before.profile.sites.truncate(1);
    before.goroutines.groups.clear();
    let mut seen = BTreeSet::new();
    contract.check(&diff_json(&before, &after), &mut seen);
    let not_written = contract.not_in(&seen);
    assert!(not_written.is_empty(), "{not_written:?}");
}

/// The example that the page is looked at with (`src/html/README.md`).
#[test]
fn the_sample_of_the_page_is_a_report() {
    let sample: Value = serde_json::from_str(include_str!("../src/html/sample.json")).unwrap();
    contract().check(&sample, &mut BTreeSet::new());
}
