//! A decoded capture as a folder: which files, in which order.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use lastgasp_capture::{Capture, FACTS, GapEntry, MEMORY, Manifest, Writer};
use lastgasp_decode::Decoded;
use lastgasp_diagnosis::{Facts, GoroutineVerdicts, cause};
use lastgasp_report::{
    census_file, document, goroutine_profile, goroutines_file, heap_profile, page, published_profile, retained_profile,
    terminal, traceback, types_file,
};
use serde_json::{Value, json};

use crate::error::StoreError;
use crate::keep_memory::{KeepMemory, add_memory};
use crate::summaries::{SUMMARY, of_told};
use crate::told::Told;

/// Extent in which a capture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All files.
    Whole,
    /// What names the culprit: others of the same cause are whole.
    Light,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The capture's folder.
    pub path: PathBuf,
    /// What is missing of the memory that was to be kept.
    pub gaps: Vec<GapEntry>,
}

/// Writes a capture whole into `store`; gives its path. Facts and profiles are its own; its report tells of
/// the whole death, where there are captures of that in the store.
///
/// # Errors
/// [`StoreError`]: the folder cannot be written, say.
pub fn write(store: &Path, decoded: &Decoded) -> Result<PathBuf, StoreError> {
    write_as(store, decoded, &Told::in_store(&decoded.facts, store), Form::Whole)
}

/// As [`write()`], in that form, with what is told of it, which was found out already.
///
/// # Errors
/// [`StoreError`].
pub fn write_as(store: &Path, decoded: &Decoded, told: &Told<'_>, form: Form) -> Result<PathBuf, StoreError> {
    write_keeping(store, decoded, told, form, None).map(|w| w.path)
}

/// As [`write_as`], with the target's memory if that is to be kept. That it could not be kept is a gap and no
/// error.
///
/// # Errors
/// As there.
pub fn write_keeping(
    store: &Path,
    decoded: &Decoded,
    told: &Told<'_>,
    form: Form,
    keep: Option<&KeepMemory<'_>>,
) -> Result<Written, StoreError> {
    let facts = &decoded.facts;
    let mut w = Writer::create(store, &id(facts, decoded.unix_ns))?;
    let path = std::path::absolute(store).unwrap_or_else(|_| store.into()).join(w.id());
    let report = add_files(&mut w, decoded, told, form, &path)?;
    if keep.is_some() {
        // Memory takes its time.
        w.settle()?;
    }
    // Last of all: a disk that is full then has the rest.
    let lost = keep.map(|k| add_memory(&mut w, k)).unwrap_or_default();
    let path = w.seal(manifest(decoded, told, form, &report, &lost))?;
    Ok(Written { path, gaps: lost })
}

/// Writes a capture once more in the place of the one at `path`, as more is known of it now. Memory of the
/// target that was kept stays.
///
/// # Errors
/// [`StoreError`]: the one that stands there stays.
pub fn rewrite(path: &Path, decoded: &Decoded, told: &Told<'_>, form: Form) -> Result<(), StoreError> {
    let old = Capture::open(path)?;
    let store = path.parent().unwrap_or(Path::new("."));
    let mut w = Writer::create(store, &id(&decoded.facts, decoded.unix_ns))?;
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let report = add_files(&mut w, decoded, told, form, &shown)?;
    w.adopt(&old, MEMORY)?;
    let lost: Vec<GapEntry> = old.manifest().gaps.iter().filter(|g| g.what == MEMORY).cloned().collect();
    Ok(w.seal_in_place_of(path, manifest(decoded, told, form, &report, &lost))?)
}

/// All files but memory; gives the document that they were made of.
fn add_files(w: &mut Writer, decoded: &Decoded, told: &Told<'_>, form: Form, path: &Path) -> Result<Value, StoreError> {
    let facts = &decoded.facts;
    // What a report needs comes first: a capture that is cut short can still be read.
    w.add(FACTS, &compressed(facts)?)?;
    w.add("heap.pb.gz", &heap_profile(facts, decoded.unix_ns))?;
    let report = document(&told.facts, &told.diagnosis, path.to_str());
    w.add("findings.json", &pretty(&json!({"schema": "lastgasp.findings/1", "verdict": report["verdict"], "findings": report["findings"], "not_it": report["not_it"]}))?)?;
    w.add("report.txt", terminal(&told.facts, &told.diagnosis).as_bytes())?;
    let brief = of_told(told, w.id(), &cause(&told.facts, &told.diagnosis), form == Form::Light);
    w.add(SUMMARY, &serde_json::to_vec(&brief)?)?;
    if form == Form::Whole {
        add_the_rest(w, decoded, &report)?;
    }
    Ok(report)
}

fn manifest(decoded: &Decoded, told: &Told<'_>, form: Form, report: &Value, lost: &[GapEntry]) -> Manifest {
    let c = &decoded.facts.capture;
    let said = c.gaps.iter().map(|g| GapEntry { what: g.what.clone(), why: g.why.clone() });
    Manifest {
        taken_at: c.taken_at.clone(),
        phase: c.phase.to_string(),
        reason: c.reason.to_string(),
        lastgasp_version: c.lastgasp_version.clone(),
        target: report["target"].clone(),
        complete: c.is_complete() && lost.is_empty(),
        cause: cause(&told.facts, &told.diagnosis),
        light: form == Form::Light,
        gaps: said.chain(lost.iter().cloned()).collect(),
        ..Manifest::default()
    }
}

/// What a light capture does without.
fn add_the_rest(w: &mut Writer, decoded: &Decoded, report: &Value) -> Result<(), StoreError> {
    let facts = &decoded.facts;
    w.add("heap.published.pb.gz", &published_profile(facts, decoded.unix_ns))?;
    w.add("goroutines.pb.gz", &goroutine_profile(facts, decoded.unix_ns))?;
    // Of this capture: what is told of a death may have the goroutines of another one.
    let verdicts = GoroutineVerdicts::of(facts, None);
    w.add("goroutines.txt", traceback(facts, &verdicts).as_bytes())?;
    if let Some(file) = goroutines_file(facts, &verdicts) {
        // A hundred thousand of them: not made for eyes.
        w.add("goroutines.json", &serde_json::to_vec(&file)?)?;
    }
    w.add(
        "memory.json",
        &pretty(&json!({"schema": "lastgasp.memory/1", "memory": report["memory"], "gc": report["gc"]}))?,
    )?;
    w.add("timeline.jsonl", timeline(facts)?.as_bytes())?;
    if let Some(g) = &facts.graph {
        w.add("types.json", &pretty(&types_file(g))?)?;
        w.add("census.json", &pretty(&census_file(g))?)?;
    }
    if let Some(profile) = retained_profile(facts, decoded.unix_ns) {
        w.add("retained.pb.gz", &profile)?;
    }
    w.add("report.html", page(report).as_bytes())?;
    Ok(())
}

/// Most characters of a service's name in a folder's, which the kernel allows 255 bytes with all that stands
/// around it: a name of 192 bytes and more once lost its captures.
const MAX_SERVICE: usize = 128;

fn id(facts: &Facts, unix_ns: i64) -> String {
    let when = jiff::Timestamp::from_nanosecond(i128::from(unix_ns))
        .map(|t| t.strftime("%Y%m%dT%H%M%S").to_string())
        .unwrap_or_default();
    let service: String = facts
        .target
        .service
        .trim_start_matches('.')
        .chars()
        .take(MAX_SERVICE)
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    format!("{when}-{}-{}-{}", service, facts.target.pid, facts.capture.phase)
}

fn timeline(facts: &Facts) -> Result<String, StoreError> {
    let mut out = String::new();
    for s in &facts.timeline.samples {
        out += &serde_json::to_string(s)?;
        out.push('\n');
    }
    for e in &facts.timeline.events {
        out += &serde_json::to_string(e)?;
        out.push('\n');
    }
    Ok(out)
}

fn pretty(v: &Value) -> Result<Vec<u8>, StoreError> {
    Ok(serde_json::to_vec_pretty(v)?)
}

/// As JSON, compressed on the way: of a large profile the JSON alone would be tens of megabytes.
fn compressed(facts: &Facts) -> Result<Vec<u8>, StoreError> {
    let mut out = BufWriter::new(GzEncoder::new(Vec::new(), Compression::fast()));
    serde_json::to_writer(&mut out, facts)?;
    Ok(out.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(service: &str) -> Decoded {
        let mut facts = Facts { schema: lastgasp_diagnosis::facts::SCHEMA.into(), ..Facts::default() };
        (facts.target.pid, facts.target.service) = (7, service.into());
        facts.capture.phase = "manual".into();
        facts.capture.gaps.push(lastgasp_diagnosis::facts::Gap::new("goroutines", "too many"));
        Decoded { facts, monotonic_ns: 0, unix_ns: 1_700_000_000_000_000_000 }
    }

    /// A service's name is the target's: no path, no hidden folder.
    #[test]
    fn a_long_name_loses_no_capture() {
        let store = tempfile::tempdir().unwrap();
        for service in ["x".repeat(192), "x".repeat(255), "\u{65e5}".repeat(85)] {
            let decoded = decoded(&service);
            let written = write_as(store.path(), &decoded, &Told::alone(&decoded.facts), Form::Light).unwrap();
            let manifest = lastgasp_capture::Capture::open(&written).unwrap();
            assert_eq!(manifest.manifest().target["service"], service.as_str(), "there it is whole");
        }
    }

    #[test]
    fn names_of_folders() {
        for (service, name) in [
            ("svc", "20231114T221320-svc-7-manual"),
            ("my.svc_2-x", "20231114T221320-my.svc_2-x-7-manual"),
            ("../../etc", "20231114T221320-_.._etc-7-manual"),
            ("..", "20231114T221320--7-manual"),
            ("a/b c\u{e9}", "20231114T221320-a_b_c_-7-manual"),
        ] {
            let decoded = decoded(service);
            assert_eq!(id(&decoded.facts, decoded.unix_ns), name, "{service}");
        }
    }

    /// More is known of it: it stands where it stood.
    #[test]
    fn a_capture_is_written_once_more_in_its_place() {
        let store = tempfile::tempdir().unwrap();
        let mut decoded = decoded("svc");
        let path = write(store.path(), &decoded).unwrap();
        let graph = lastgasp_diagnosis::facts::GraphFacts { source: "dead".into(), ..Default::default() };
        decoded.facts.graph = Some(graph);
        rewrite(&path, &decoded, &Told::alone(&decoded.facts), Form::Whole).unwrap();
        assert_eq!(crate::read(&path).unwrap(), decoded.facts);
        assert_eq!(lastgasp_capture::list(store.path()), [path]);
        let gone = store.path().join("gone");
        assert!(rewrite(&gone, &decoded, &Told::alone(&decoded.facts), Form::Whole).is_err());
        assert_eq!(std::fs::read_dir(store.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_written_is_read_back_and_a_light_one_does_without_the_rest() {
        let store = tempfile::tempdir().unwrap();
        let decoded = decoded("svc");
        let told = Told::alone(&decoded.facts);
        let files = |path: &Path| {
            let mut names: Vec<String> = std::fs::read_dir(path)
                .unwrap()
                .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        };
        let light = write_as(store.path(), &decoded, &told, Form::Light).unwrap();
        assert_eq!(
            files(&light),
            ["facts.json.gz", "findings.json", "heap.pb.gz", "manifest.json", "report.txt", "summary.json"]
        );
        assert_eq!(crate::read(&light).unwrap(), decoded.facts);
        let whole = write(store.path(), &Decoded { unix_ns: 1_800_000_000_000_000_000, ..decoded }).unwrap();
        assert_eq!(
            files(&whole),
            [
                "facts.json.gz",
                "findings.json",
                "goroutines.pb.gz",
                "goroutines.txt",
                "heap.pb.gz",
                "heap.published.pb.gz",
                "manifest.json",
                "memory.json",
                "report.html",
                "report.txt",
                "summary.json",
                "timeline.jsonl",
            ]
        );
        // A graph of the heap has files of its own.
        let mut decoded = self::decoded("svc");
        decoded.facts.graph = Some(lastgasp_diagnosis::facts::GraphFacts::default());
        let graph = write(store.path(), &Decoded { unix_ns: 1_900_000_000_000_000_000, ..decoded }).unwrap();
        let more = ["census.json", "retained.pb.gz", "types.json"];
        assert!(more.iter().all(|name| files(&graph).iter().any(|f| f == name)), "{:?}", files(&graph));
        let capture = lastgasp_capture::Capture::open(&whole).unwrap();
        let manifest = capture.manifest();
        assert_eq!((manifest.complete, manifest.light, manifest.gaps.len()), (false, false, 1));
    }
}
