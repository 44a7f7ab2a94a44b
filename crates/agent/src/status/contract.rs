//! docs/formats/status-json.md against what is written: every field is documented with its type, and nothing
//! else is; the size is bounded.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use lastgasp_lab::contract::Contract;
use serde_json::Value;

use super::text::MAX_TEXT;
use super::*;

fn target(pid: i32) -> TargetStatus {
    let some = |text: &str| Some(text.to_owned());
    TargetStatus {
        pid,
        service: "svc".into(),
        container: some("0123"),
        container_runtime: Some("docker"),
        pod: some("uid"),
        unit: some("svc.service"),
        cgroup: "/docker/0123".into(),
        go_version: "go1.22.10".into(),
        module_path: "example.com/svc".into(),
        module_version: "v1".into(),
        vcs_revision: some("abc"),
        started_unix: 1_700_000_000,
        state: "watch",
        usage_bytes: 1,
        limit_bytes: Some(2),
        limit_source: some("memory.max of /docker/0123"),
        rss_bytes: 1,
        heap_live_bytes: 1,
        goroutines: 1,
        leaked_goroutines: Some(4012),
        slope_bytes_per_second: Some(1.5),
        time_to_oom_seconds: Some((1.0, 2.0, 3.0)),
        pinned: true,
        baselines: 3,
        captures: 1,
        last_capture_unix: Some(1_700_000_000),
        problem: some("not armed"),
        // What is kept of lives, and not told here.
        ..TargetStatus::default()
    }
}

fn document(status: &Status, problems: &[String], captures: &[RecentCapture]) -> Value {
    let own = SelfStats::default();
    let store = (Path::new("/store"), 1 << 30, 100);
    serde_json::from_str(&text(&Snapshot { status, own: &own, problems, captures, store })).unwrap()
}

#[test]
fn the_document_is_as_documented() {
    let contract = Contract::of(include_str!("../../../../docs/formats/status-json.md"));
    let mut seen = BTreeSet::new();
    let capture = RecentCapture { verdict: Some(("heap-growth", "it grew".into())), ..RecentCapture::default() };
    let refused = PinWindow::Refused { why: "no".into() };
    for window in [Some(PinWindow::Measured(Duration::from_secs(2))), Some(refused), None] {
        let status =
            Status { targets: vec![target(1)], pin_window: window, started_unix: 1_700_000_000, ..Status::default() };
        let document = document(&status, &["a thread has ended".into()], std::slice::from_ref(&capture));
        contract.check(&document, &mut seen);
    }
    contract.check(&document(&Status::default(), &[], &[]), &mut seen);
    let not_written = contract.not_in(&seen);
    assert!(not_written.is_empty(), "documented, and not written here: {not_written:?}");
}

#[test]
fn what_it_says() {
    let status = Status { targets: vec![target(7), target(3)], ..Status::default() };
    let said = document(&status, &[], &[]);
    assert_eq!((said["schema"].as_str(), said["healthy"].as_bool()), (Some(SCHEMA), Some(true)));
    assert_eq!((&said["targets"][0]["pid"], &said["targets"][1]["pid"]), (&3.into(), &7.into()), "by number");
    assert_eq!(said["targets"][0]["danger"], "calm");
    assert_eq!(said["targets"][0]["time_to_oom_seconds"]["likely"], 2.0);
    assert_eq!(said["store"]["path"], "/store");
    assert_eq!(document(&status, &["x".into()], &[])["healthy"], false);
}

/// Names of folders may be any bytes: that is no reason to say nothing.
#[test]
fn a_path_that_is_no_text() {
    let path = Path::new(std::ffi::OsStr::from_bytes(b"/store/\xff"));
    let (status, own) = (Status::default(), SelfStats::default());
    let captures = [RecentCapture { path: path.into(), ..RecentCapture::default() }];
    let snapshot = Snapshot { status: &status, own: &own, problems: &[], captures: &captures, store: (path, 1, 1) };
    let said: Value = serde_json::from_str(&text(&snapshot)).unwrap();
    assert_eq!(
        (&said["store"]["path"], &said["captures"][0]["path"]),
        (&"/store/\u{fffd}".into(), &"/store/\u{fffd}".into())
    );
}

/// Bounded whatever runs on the node; who is in danger is never what is left out.
#[test]
fn its_size_is_bounded() {
    let long = |text: &str| text.repeat(100_000);
    let mut targets: Vec<TargetStatus> =
        (0..5000).map(|pid| TargetStatus { cgroup: long("ä"), ..target(pid) }).collect();
    targets[4321].state = "armed";
    targets[4000].time_to_oom_seconds = Some((0.1, 0.2, 0.3));
    let said = document(&Status { targets, ..Status::default() }, &[], &[]);
    let pids: Vec<i64> = said["targets"].as_array().unwrap().iter().map(|t| t["pid"].as_i64().unwrap()).collect();
    assert_eq!((pids.len(), &said["targets_left_out"]), (MAX_TARGETS, &4000.into()));
    assert!(pids.is_sorted() && pids.contains(&4321) && pids.contains(&4000));
    assert!(said.to_string().len() < 2 << 20, "{}", said.to_string().len());
    assert_eq!(said["targets"][0]["cgroup"].as_str().unwrap().len(), MAX_TEXT);
}
