//! Facts to a folder, and back.

use std::io::{BufWriter, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use lastgasp_capture::{Capture, FACTS, GapEntry, Manifest, Writer};
pub(crate) use lastgasp_diagnosis::cause;
use lastgasp_diagnosis::facts::{SCHEMA, from_json};
use lastgasp_diagnosis::{Diagnosis, Facts, diagnose};
use lastgasp_report::{
    Executable, document, goroutine_profile, heap_profile, page, published_profile, terminal, traceback,
};
use serde_json::{Value, json};

use crate::decode::Decoded;

/// Largest facts that are read back, in bytes of JSON: of the 20,000 sites of a large service they are some ten megabytes.
const MAX_FACTS: u64 = 256 << 20;

/// How much of a capture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// All of it.
    Whole,
    /// What names the culprit: others of the same cause are whole.
    Light,
}

/// Writes a capture into `store`; gives its path.
pub(crate) fn seal(store: &Path, decoded: &Decoded) -> Result<PathBuf> {
    seal_as(store, decoded, &diagnose(&decoded.facts), Form::Whole)
}

/// As [`seal`], in that form.
pub(crate) fn seal_as(store: &Path, decoded: &Decoded, diagnosis: &Diagnosis, form: Form) -> Result<PathBuf> {
    let facts = &decoded.facts;
    let id = id(facts, decoded.unix_ns);
    let mut w = Writer::create(store, &id)?;
    // What a report needs comes first: a capture that is cut short can still be read.
    w.add(FACTS, &compressed(facts)?)?;
    w.add("heap.pb.gz", &heap_profile(facts, decoded.unix_ns))?;
    let path = std::path::absolute(store).unwrap_or_else(|_| store.into()).join(&id);
    let report = document(facts, diagnosis, path.to_str());
    w.add("findings.json", &pretty(&json!({"schema": "lastgasp.findings/1", "verdict": report["verdict"], "findings": report["findings"], "not_it": report["not_it"]}))?)?;
    w.add("report.txt", terminal(facts, diagnosis).as_bytes())?;
    if form == Form::Whole {
        add_the_rest(&mut w, decoded, &report)?;
    }
    let gaps: Vec<GapEntry> =
        facts.capture.gaps.iter().map(|(what, why)| GapEntry { what: what.clone(), why: why.clone() }).collect();
    let c = &facts.capture;
    Ok(w.seal(Manifest {
        taken_at: c.taken_at.clone(),
        phase: c.phase.clone(),
        reason: c.reason.clone(),
        lastgasp_version: c.lastgasp_version.clone(),
        target: report["target"].clone(),
        complete: gaps.is_empty(),
        cause: cause(facts, diagnosis),
        light: form == Form::Light,
        gaps,
        ..Manifest::default()
    })?)
}

/// What a light capture does without.
fn add_the_rest(w: &mut Writer, decoded: &Decoded, report: &Value) -> Result<()> {
    let facts = &decoded.facts;
    w.add("heap.published.pb.gz", &published_profile(facts, decoded.unix_ns))?;
    let executable = Executable {
        file: facts.target.service.clone(),
        build_id: facts.target.build_id.clone(),
        code: (decoded.code.start.0, decoded.code.end.0),
    };
    w.add("goroutines.pb.gz", &goroutine_profile(&decoded.goroutines, &executable, decoded.unix_ns))?;
    w.add("goroutines.txt", traceback(&decoded.goroutines, decoded.monotonic_ns, decoded.minor).as_bytes())?;
    w.add(
        "memory.json",
        &pretty(&json!({"schema": "lastgasp.memory/1", "memory": report["memory"], "gc": report["gc"]}))?,
    )?;
    w.add("timeline.jsonl", timeline(facts)?.as_bytes())?;
    w.add("report.html", page(report).as_bytes())?;
    Ok(())
}

/// The facts of a capture.
pub(crate) fn read(path: &Path) -> Result<Facts> {
    let capture = Capture::open(path)?;
    let mut json = Vec::new();
    GzDecoder::new(&*capture.read(FACTS)?)
        .take(MAX_FACTS)
        .read_to_end(&mut json)
        .with_context(|| format!("{FACTS} of {}", path.display()))?;
    let mut facts = from_json(&json).with_context(|| format!("{FACTS} of {}", path.display()))?;
    if facts.schema != SCHEMA {
        bail!(
            "{} was written by another lastgasp: {FACTS} has the schema {:?}, this one reads {SCHEMA:?}",
            path.display(),
            facts.schema
        );
    }
    // A rescued capture says in its manifest what it lacks.
    for g in &capture.manifest().gaps {
        let gap = (g.what.clone(), g.why.clone());
        if !facts.capture.gaps.contains(&gap) {
            facts.capture.gaps.push(gap);
        }
    }
    Ok(facts)
}

fn id(facts: &Facts, unix_ns: i64) -> String {
    let when = jiff::Timestamp::from_nanosecond(i128::from(unix_ns))
        .map(|t| t.strftime("%Y%m%dT%H%M%S").to_string())
        .unwrap_or_default();
    let service: String = facts
        .target
        .service
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    format!("{when}-{}-{}-{}", service.trim_start_matches('.'), facts.target.pid, facts.capture.phase)
}

fn timeline(facts: &Facts) -> Result<String> {
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

fn pretty(v: &Value) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(v)?)
}

/// As JSON, compressed on the way: of a large profile the JSON alone would be tens of megabytes.
fn compressed(facts: &Facts) -> Result<Vec<u8>> {
    let mut out = BufWriter::new(GzEncoder::new(Vec::new(), Compression::fast()));
    serde_json::to_writer(&mut out, facts)?;
    Ok(out.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish()?)
}
