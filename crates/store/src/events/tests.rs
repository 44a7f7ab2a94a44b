use std::fs;
use std::io::Write as _;

use lastgasp_incident::evidence::{
    Change, Ending, Evidence, FeedState, Generation, MetricPoint, MetricRole, MetricSeries, MetricSubject, Query,
};
use tempfile::TempDir;

use super::segments::segments;
use super::*;

const T: i64 = 1_790_000_000_000;

fn change(n: u64) -> Change {
    let at = T + n as i64 * 1000;
    Change {
        id: format!("id-{n}"),
        source: "etcd".into(),
        key: "ugctab".into(),
        at_unix_ms: at,
        received_unix_ms: at,
        ..Change::default()
    }
}

fn open(store: &TempDir) -> EventLog {
    EventLog::open(store.path(), EventLimits::default()).unwrap()
}

fn all(store: &TempDir) -> (Evidence, Damage) {
    let mut evidence = Evidence::default();
    let query = Query { service: None, since_unix_ms: None, now_unix_ms: i64::MAX };
    let damage = read(store.path(), &query, &mut evidence);
    (evidence, damage)
}

fn only_file(store: &TempDir, stream: Stream) -> PathBuf {
    let files = segments(&store.path().join(FOLDER), stream);
    assert_eq!(files.len(), 1);
    files[0].path.clone()
}

#[test]
fn what_is_told_twice_is_one_whoever_writes_it_and_when() {
    let store = tempfile::tempdir().unwrap();
    let log = open(&store);
    let added = log.add_changes(&[change(1), change(2), change(1)]).unwrap();
    assert_eq!(added, Added { new: 2, known: 1, too_long: 0 });
    assert_eq!(log.add_changes(&[change(2)]).unwrap().known, 1);
    // After a restart, and beside a second process that knows nothing of the first one's.
    let again = open(&store);
    assert_eq!(again.add_changes(&[change(1), change(3)]).unwrap(), Added { new: 1, known: 1, too_long: 0 });
    assert_eq!(log.add_changes(&[change(3)]).unwrap().new, 1);
    let (evidence, damage) = all(&store);
    let ids: Vec<&str> = evidence.changes.iter().map(|c| c.id.as_str()).collect();
    assert_eq!((ids, damage), (vec!["id-1", "id-2", "id-3"], Damage::default()));
    let mode =
        |path: &Path| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777;
    assert_eq!((mode(&store.path().join(FOLDER)), mode(&only_file(&store, Stream::Changes))), (0o700, 0o600));
}

/// Wherever a crash cuts the file, all lines before it are read, and what is written next as well.
#[test]
fn a_crash_costs_the_line_that_it_cuts() {
    let store = tempfile::tempdir().unwrap();
    open(&store).add_changes(&[change(1), change(2)]).unwrap();
    let file = only_file(&store, Stream::Changes);
    let whole = fs::read(&file).unwrap();
    let first = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    for length in 0..=whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        open(&store).add_changes(&[change(9)]).unwrap();
        let (evidence, damage) = all(&store);
        // The end of a line alone may be missing.
        let before = usize::from(length + 1 >= first) + usize::from(length + 1 >= whole.len());
        assert_eq!(evidence.changes.len(), before + 1, "cut at {length}");
        assert_eq!(evidence.changes.last().unwrap().id, "id-9");
        let cut = ![0, first - 1, first, whole.len() - 1, whole.len()].contains(&length);
        assert_eq!((damage.lines, damage.files), (u64::from(cut), u64::from(cut)), "cut at {length}");
        assert_eq!(evidence.gaps.len(), usize::from(cut));
    }
}

#[test]
fn damaged_lines_are_skipped_and_said() {
    let store = tempfile::tempdir().unwrap();
    let log = open(&store);
    log.add_changes(&[change(1)]).unwrap();
    let file = only_file(&store, Stream::Changes);
    let mut by_hand = fs::OpenOptions::new().append(true).open(&file).unwrap();
    by_hand.write_all(b"nonsense\n\xff\xfe\n").unwrap();
    by_hand.write_all(&vec![b'x'; 3 * line::MAX_LINE]).unwrap();
    by_hand.write_all(b"\n{\"crc\":\"00000000\",\"e\":{\"id\":\"forged\"}}\n\n{\"e\":{\"id\":\"by hand\"}}\n").unwrap();
    log.add_changes(&[change(2)]).unwrap();
    let (evidence, damage) = all(&store);
    let ids: Vec<&str> = evidence.changes.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["id-1", "by hand", "id-2"]);
    assert_eq!((damage.lines, damage.files), (4, 1));
    assert_eq!(evidence.gaps, ["4 damaged lines in 1 files of events were skipped"]);
    // What is no file of ours is not waited for.
    nix::unistd::mkfifo(&store.path().join("events/changes-1.jsonl"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(all(&store).0.changes.len(), 3);
}

#[test]
fn a_change_that_is_too_long_is_refused_and_the_others_are_kept() {
    let store = tempfile::tempdir().unwrap();
    let long = Change { title: "x".repeat(line::MAX_LINE), ..change(1) };
    assert_eq!(open(&store).add_changes(&[long, change(2)]).unwrap(), Added { new: 1, known: 0, too_long: 1 });
}

#[test]
fn files_are_bounded_and_the_newest_is_kept() {
    let store = tempfile::tempdir().unwrap();
    let limits = EventLimits { bytes: 1 << 20, ..EventLimits::default() };
    let log = EventLog::open(store.path(), limits).unwrap();
    for n in 0..100 {
        let many: Vec<Change> = (0..50).map(|i| Change { title: "x".repeat(200), ..change(n * 50 + i) }).collect();
        log.add_changes(&many).unwrap();
        // Files are named by milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let files = segments(&store.path().join(FOLDER), Stream::Changes);
    let bytes: u64 = files.iter().map(|s| s.bytes).sum();
    let quarter = limits.bytes / 4;
    assert!(bytes <= quarter + quarter / 4 && bytes > quarter / 2, "{bytes} in {} files", files.len());
    let (evidence, damage) = all(&store);
    assert_eq!((evidence.changes.last().unwrap().id.as_str(), damage.lines), ("id-4999", 0));
}

#[test]
fn several_writers_do_not_cut_each_others_lines() {
    let store = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let log = open(&store);
            scope.spawn(move || {
                for n in 0..100 {
                    log.add_changes(&[change(writer * 100 + n)]).unwrap();
                }
            });
        }
    });
    let (evidence, damage) = all(&store);
    assert_eq!((evidence.changes.len(), damage), (400, Damage::default()));
}

#[test]
fn what_was_in_the_time_that_is_asked_for_is_given() {
    let store = tempfile::tempdir().unwrap();
    let log = open(&store);
    // Told of in time, with a clock that is wrong by a year: kept, for somebody to wonder at.
    let skewed = Change { at_unix_ms: T - 365 * 86_400_000, id: "skewed".into(), ..change(50) };
    let late = Change { received_unix_ms: T + 50_000, id: "late".into(), ..change(1) };
    let changes = [change(1), change(50), skewed, late, change(900)];
    log.add_changes(&changes).unwrap();
    let life = |service: &str, pid: i32, from: i64, to: Option<i64>| Generation {
        service: service.into(),
        instance: "i".into(),
        pid,
        started_unix_ms: T + from,
        last_seen_unix_ms: T + from,
        ended_unix_ms: to.map(|to| T + to),
        ..Generation::default()
    };
    log.note_generations(&[life("a", 1, 0, None), life("a", 1, 0, Some(45_000)), life("a", 2, 0, Some(20_000))])
        .unwrap();
    log.note_generations(&[life("b", 3, 45_000, None), life("a", 4, 900_000, None)]).unwrap();
    let query = Query { service: Some("a".into()), since_unix_ms: Some(T + 40_000), now_unix_ms: T + 60_000 };
    let mut evidence = Evidence::default();
    read(store.path(), &query, &mut evidence);
    let ids: Vec<&str> = evidence.changes.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["id-50", "skewed", "late"]);
    let lives: Vec<_> = evidence.generations.iter().map(|g| (g.pid, g.ended_unix_ms)).collect();
    assert_eq!(lives, [(1, Some(T + 45_000))]);
}

#[test]
fn no_more_is_read_than_was_asked_for() {
    let store = tempfile::tempdir().unwrap();
    let log = open(&store);
    log.add_changes(&(0..100).map(change).collect::<Vec<_>>()).unwrap();
    let query = Query { service: None, since_unix_ms: None, now_unix_ms: i64::MAX };
    let mut evidence = Evidence::default();
    read_at_most(store.path(), &query, ReadLimits { changes: 7, points: 1 }, &mut evidence);
    let ids: Vec<&str> = evidence.changes.iter().map(|c| c.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[6]), (7, "id-93", "id-99"));
    assert!(evidence.gaps[0].contains("the 93 that were told of first"), "{:?}", evidence.gaps);
    let life = |seen| Generation { instance: "i".into(), pid: 1, last_seen_unix_ms: seen, ..Generation::default() };
    log.note_generations(&[life(1), life(2)]).unwrap();
    let lives = last_lives(store.path(), 0);
    assert_eq!((lives.len(), lives[0].last_seen_unix_ms), (1, 2));
}

#[test]
fn points_are_joined_and_the_last_state_counts() {
    let store = tempfile::tempdir().unwrap();
    let log = open(&store);
    let series = |caller: &str, points: &[(i64, f64)]| MetricSeries {
        role: MetricRole::Retries,
        source: "prometheus".into(),
        subject: MetricSubject { caller: caller.into(), ..MetricSubject::default() },
        points: points.iter().map(|(t, value)| MetricPoint { unix_ms: T + t, value: *value }).collect(),
        ..MetricSeries::default()
    };
    log.note_series(&[series("a", &[(0, 1.0), (1, 2.0)]), series("b", &[(0, 7.0)])]).unwrap();
    log.note_series(&[series("a", &[(1, 2.0), (2, f64::NAN), (3, 3.0)])]).unwrap();
    let feed = |last| FeedState { source: "etcd".into(), connected: true, last_unix_ms: last, ..FeedState::default() };
    log.note_feeds(&[feed(T)]).unwrap();
    log.note_feeds(&[feed(T + 5)]).unwrap();
    let evidence = all(&store).0;
    let points: Vec<Vec<f64>> = evidence.series.iter().map(|s| s.points.iter().map(|p| p.value).collect()).collect();
    assert_eq!(points, [vec![1.0, 2.0, 3.0], vec![7.0]]);
    assert_eq!((evidence.feeds.len(), evidence.feeds[0].last_unix_ms), (1, T + 5));
    assert_eq!(last_feeds(store.path()), evidence.feeds);
    assert_eq!(Generation::default().ending, Ending::Running);
}

/// A folder that cannot be made is an error that names it.
#[test]
fn a_store_that_is_none_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = EventLog::open(file.path(), EventLimits::default()).unwrap_err().to_string();
    assert!(error.contains("events") && error.contains("name another store"), "{error}");
}

/// Every field that is written is documented.
#[test]
fn the_documented_fields_are_the_fields() {
    use lastgasp_incident::evidence::{Build, Hole, Place, Scope};
    let page = include_str!("../../../../docs/formats/events.md");
    let s = || "x".to_owned();
    let change = Change {
        by: s(),
        scope: Scope { services: vec![s()], instances: vec![s()], data_centres: vec![s()], nodes: vec![s()] },
        size_bytes: Some(1),
        size_bytes_before: Some(1),
        elements: Some(1),
        elements_before: Some(1),
        from: s(),
        to: s(),
        hash: s(),
        title: s(),
        ..change(1)
    };
    let life = Generation {
        container: s(),
        first_seen_unix_ms: 1,
        last_seen_unix_ms: 1,
        ended_unix_ms: Some(1),
        build: Build {
            version: s(),
            revision: s(),
            revision_unix_ms: Some(1),
            modified: true,
            build_id: s(),
            go_version: s(),
            file_unix_ms: Some(1),
        },
        place: Place { data_centre: s(), node: s(), image: s(), kernel: s(), cgroup: s() },
        limit_bytes: Some(1),
        soft_limit_bytes: Some(1),
        gogc: Some(1),
        gomemlimit: Some(1),
        peak_bytes: Some(1),
        labels: [("zone".to_owned(), s())].into(),
        ..Generation::default()
    };
    let subject = MetricSubject { service: s(), caller: s(), instance: s(), is_dependency: true };
    let series =
        MetricSeries { subject, points: vec![MetricPoint { unix_ms: 1, value: 1.0 }], ..MetricSeries::default() };
    let feed = FeedState {
        kinds: vec!["config".into()],
        metrics: true,
        skew_ms: Some(1),
        holes: vec![Hole { from_unix_ms: 1, to_unix_ms: Some(2), why: s() }],
        ..FeedState::default()
    };
    fn keys(v: &serde_json::Value, out: &mut Vec<String>) {
        match v {
            serde_json::Value::Object(map) => {
                for (key, inner) in map {
                    out.push(key.clone());
                    // Names of labels are the user's.
                    if key != "labels" {
                        keys(inner, out);
                    }
                }
            }
            serde_json::Value::Array(all) => all.iter().for_each(|v| keys(v, out)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    for value in [
        serde_json::to_value(&change),
        serde_json::to_value(&life),
        serde_json::to_value(&series),
        serde_json::to_value(&feed),
    ] {
        keys(&value.unwrap(), &mut all);
    }
    assert!(all.len() > 60, "{}", all.len());
    for key in all {
        assert!(page.contains(&format!("`{key}`")), "{key} is missing in docs/formats/events.md");
    }
}
