//! `lastgasp why CAPTURE|CORE|PID TYPE|ADDRESS|VARIABLE|SITE|goroutine:ID`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use lastgasp_decode::{ObjectAt, WholeMemory, object_at};
use lastgasp_diagnosis::Facts;
use lastgasp_diagnosis::facts::HEAP_GRAPH;
use lastgasp_diagnosis::units::{bytes, plural};
use lastgasp_diagnosis::{GoroutineVerdicts, way};
use lastgasp_observe::raw_capture::Source;
use lastgasp_report::{
    asked_goroutine, printable, what_can_be_asked, why_goroutine_json, why_goroutine_text, why_json, why_text,
};
use lastgasp_store::tell;
use serde_json::json;

use super::capture::{provenance_of, take_subject_with};
use super::stop::Stop;
use super::subject::{Subject, Taken, of_core};
use crate::args::{AnswerFormat, HeapFlags};
use crate::exit::Exit;
use crate::output::say;

/// Memory for the graph of a process that is asked about.
const GRAPH_MEMORY: u64 = 1 << 30;
/// File of a capture with the process's memory.
const MEMORY: &str = "memory.core";

/// Prints what keeps something alive.
pub(super) fn why(
    subject: &str,
    asked: &str,
    exe: Option<&Path>,
    max_stop: Duration,
    format: AnswerFormat,
) -> Result<Exit> {
    let parsed = Subject::parse(subject)?;
    if let Some(address) = address(asked) {
        return of_address(subject, &parsed, exe, address, format);
    }
    let facts = facts_of(&parsed, exe, max_stop)?;
    let Some(g) = &facts.graph else { bail!(no_graph(subject, &parsed, &facts)) };
    if let Some(id) = asked_goroutine(asked) {
        return of_goroutine(subject, &facts, asked, id, format);
    }
    let answer = match format {
        AnswerFormat::Text => why_text(g, asked),
        AnswerFormat::Json => match why_json(g, asked) {
            Some(answer) => Some(serde_json::to_string_pretty(&answer)? + "\n"),
            None => None,
        },
    };
    let Some(answer) = answer else {
        bail!(
            "nothing that is alive in {subject} is called {asked}, or a part of that: ask for a type, a package variable, a function, or file.go:LINE ({})",
            what_can_be_asked(g)
        )
    };
    say(&answer);
    Ok(Exit::Fine)
}

/// Why a goroutine is blocked, and who could wake it.
fn of_goroutine(subject: &str, facts: &Facts, asked: &str, id: u64, format: AnswerFormat) -> Result<Exit> {
    let verdicts = GoroutineVerdicts::of(facts, None);
    let answer = match format {
        AnswerFormat::Text => why_goroutine_text(facts, &verdicts, id),
        AnswerFormat::Json => match why_goroutine_json(facts, &verdicts, asked, id) {
            Some(answer) => Some(serde_json::to_string_pretty(&answer)? + "\n"),
            None => None,
        },
    };
    let Some(answer) = answer else {
        let known = facts.goroutines.list.each.iter().any(|g| g.id == id);
        bail!(match (known, facts.graph.as_ref().is_some_and(|g| g.blocked.is_some())) {
            (true, true) => format!("goroutine {id} of {subject} is not blocked"),
            (_, false) => format!("what goroutines wait for was not followed in {subject}"),
            (false, true) => format!("{subject} has no goroutine {id}"),
        })
    };
    say(&answer);
    Ok(Exit::Fine)
}

/// `0xc000123000`.
fn address(asked: &str) -> Option<u64> {
    u64::from_str_radix(asked.strip_prefix("0x")?, 16).ok()
}

/// Facts with the heap's graph, where one can be had.
fn facts_of(subject: &Subject, exe: Option<&Path>, max_stop: Duration) -> Result<Facts> {
    if let Subject::Capture(path) = subject {
        let told = tell(path)?.facts.into_owned();
        // Of a death the captures are told together; that which was asked for may be the one with a graph.
        return Ok(if told.graph.is_some() { told } else { lastgasp_store::read(path)? });
    }
    let heap = HeapFlags { heap: true, max_stop, heap_memory: GRAPH_MEMORY };
    let taken = take_subject_with(subject, exe, Stop::ForTheCopy, Some((&heap, None)))?;
    Ok(taken.decoded(&provenance_of(&taken)).facts)
}

/// Why there is no graph, and how to get one.
fn no_graph(asked: &str, subject: &Subject, facts: &Facts) -> String {
    let gap = facts.capture.gaps.iter().find(|g| g.what == HEAP_GRAPH).map(|g| g.why.clone());
    let why = gap.map_or_else(String::new, |why| format!(" ({why})"));
    let cure = match subject {
        Subject::Capture(_) => "take one with it: lastgasp capture PID --heap, or lastgasp capture of a core file",
        Subject::Core(_) => "give the executable that it is of with --exe",
        Subject::Pid(_) => "give it more time with --max-stop, or ask a core file of it (gcore PID)",
    };
    format!("{asked} has no graph of the heap{why}: {cure}")
}

/// What keeps the object at an address: that takes the memory itself.
fn of_address(asked: &str, subject: &Subject, exe: Option<&Path>, address: u64, format: AnswerFormat) -> Result<Exit> {
    let core: PathBuf = match subject {
        Subject::Core(path) => path.clone(),
        Subject::Capture(path) if path.join(MEMORY).is_file() => path.join(MEMORY),
        Subject::Capture(path) => bail!(
            "{} does not have the memory that an address stands in: ask a core file, or a capture of one with --keep-memory",
            path.display()
        ),
        Subject::Pid(pid) => {
            bail!("an address of a process that runs is another object's soon: ask a core file of it (gcore {pid})")
        }
    };
    let taken: Taken = of_core(&core, exe)?;
    let whole = taken.source.as_ref().and_then(Source::whole).ok_or_else(|| {
        anyhow!(
            "{} was read while the process ran, or has not all of its memory: ask a core file of one moment",
            core.display()
        )
    })?;
    let found = object_at(&taken.raw, WholeMemory::of(whole, "core"), address)
        .map_err(|why| anyhow!("{asked}: no graph of the heap could be made: {why}"))?;
    let Some(object) = found else {
        bail!("{address:#x} is in no object of the heap of {asked}: it may be a stack's, a variable's, or free")
    };
    match format {
        AnswerFormat::Text => say(&as_text(&object)),
        AnswerFormat::Json => say(&(serde_json::to_string_pretty(&as_json(address, &object))? + "\n")),
    }
    Ok(Exit::Fine)
}

fn as_text(o: &ObjectAt) -> String {
    let kind = if o.type_name.is_empty() { "an object of unknown type" } else { &o.type_name };
    let mut lines = vec![format!("{:#x}: {kind}, a slot of {}", o.start, bytes(o.bytes))];
    if o.is_live {
        lines.push(format!(
            "alone keeps {} in {} alive",
            bytes(o.retained_bytes),
            plural(o.retained_objects, "object")
        ));
        lines.push(format!("kept by {}", way(&o.way, &o.type_name)));
        let others = o.ways.iter().filter(|w| !o.way.starts_with(w));
        lines.extend(others.map(|w| format!("and by what is at {}", way(w, ""))));
    } else {
        lines.push("garbage: nothing keeps it alive".into());
    }
    lines.iter().map(|l| format!("{}\n", printable(l))).collect()
}

fn as_json(address: u64, o: &ObjectAt) -> serde_json::Value {
    json!({
        "schema": "lastgasp.why/1",
        "asked": format!("{address:#x}"),
        "object": {
            "address": format!("{:#x}", o.start),
            "bytes": o.bytes,
            "type": o.type_name,
            "live": o.is_live,
            "retained_objects": o.retained_objects,
            "retained_bytes": o.retained_bytes,
            "way": way(&o.way, &o.type_name),
            "steps": o.way,
            "held_by": o.ways,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names() {
        assert_eq!(address("0xc000123000"), Some(0xc0_0012_3000));
        assert!(["c000123000", "0x", "0xzz", "main.cache", "[]int64"].iter().all(|t| address(t).is_none()));
    }

    #[test]
    fn an_object_in_words() {
        let words = |w: &[&str]| w.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let mut o = ObjectAt {
            start: 0xc0_0012_3000,
            bytes: 4096,
            type_name: "[]int64".into(),
            is_live: true,
            retained_objects: 1,
            retained_bytes: 4096,
            way: words(&["global main.cache", ".avids"]),
            ways: vec![words(&["global main.cache"]), words(&["goroutines in main.f"])],
        };
        assert_eq!(
            as_text(&o),
            "0xc000123000: []int64, a slot of 4.10 kB\nalone keeps 4.10 kB in 1 object alive\n\
             kept by global main.cache .avids -> []int64\nand by what is at goroutines in main.f\n"
        );
        o.is_live = false;
        assert!(as_text(&o).ends_with("garbage: nothing keeps it alive\n"));
        assert_eq!(as_json(1, &o)["object"]["held_by"][1][0], "goroutines in main.f");
    }
}
