//! Targets that read text: what the kernel writes, and what lastgasp itself has written to disk before.

use std::sync::OnceLock;

use lastgasp_diagnosis::{Facts, GoroutineVerdicts, diagnose, facts::from_json};
use lastgasp_goruntime::{Runtime, RuntimeLocation};
use lastgasp_inferior::{AddrRange, ElfImage, parse_maps, parse_smaps};
use lastgasp_observe::kernel::cgroup::{Mounts, memory_path};
use lastgasp_observe::kernel::container::home;
use lastgasp_observe::target::runtime_cache::remembered;
use lastgasp_report::{document, goroutine_profile, heap_profile, page, published_profile, terminal, traceback};
use lastgasp_synth::{Flavour, Process};
use serde_json::Value;

use crate::process;

/// `/proc/PID/maps`, `smaps` and `cgroup`, `/proc/mounts`, the paths of containers.
pub fn maps(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for m in parse_maps(&text) {
        let _ = (m.range.len(), AddrRange::sized(m.range.start, m.range.len()));
    }
    let _ = parse_smaps(&text);
    let _ = Mounts::parse(&text, |_| text.to_string());
    for v2 in [false, true] {
        let _ = memory_path(&text, v2).map(|path| home(&path).to_string());
    }
    for line in text.lines() {
        let _ = home(line).to_string();
    }
}

/// What is remembered of a binary: the file, and what it says, held against a process.
pub fn locations(data: &[u8]) {
    static WHOLE: OnceLock<Option<(Process, ElfImage)>> = OnceLock::new();
    let _ = remembered("none-0000000000000000", data);
    let Ok(location) = serde_json::from_slice::<RuntimeLocation>(data) else { return };
    let whole = WHOLE.get_or_init(|| {
        let process = process::whole(Flavour::Go22);
        let mut file = tempfile::tempfile().ok()?;
        std::io::Write::write_all(&mut file, &process.image(Flavour::Go22, true)).ok()?;
        Some((process, ElfImage::open(file, "fuzz").ok()?))
    });
    let Some((process, image)) = whole else { return };
    if let Ok(rt) = Runtime::apply(image, 0, process, &location) {
        process::decode_all(&rt, process);
    }
}

/// Facts that were read back: diagnosis, every report and every file that is made of them. The input is JSON;
/// or, where it does not begin like JSON, orders to change the numbers of facts that are whole, of each
/// version in turn: which of them (two bytes), by what (eight).
pub fn facts(data: &[u8]) {
    if data.first() == Some(&b'{') {
        return read(data);
    }
    for whole in [include_str!("facts.json"), include_str!("facts_2.json")] {
        read(&changed(whole, data));
    }
}

fn read(text: &[u8]) {
    let Ok(facts) = from_json(text) else { return };
    report(&facts);
    // Whatever they were: written again they are facts of this version, and the same.
    let again = serde_json::to_vec(&facts).unwrap_or_default();
    assert_eq!(from_json(&again).ok().as_ref(), Some(&facts));
}

fn report(facts: &Facts) {
    let d = diagnose(facts);
    let _ = terminal(facts, &d);
    let _ = page(&document(facts, &d, Some("/capture")));
    let _ = (heap_profile(facts, 1), published_profile(facts, 1));
    let verdicts = GoroutineVerdicts::of(facts, None);
    let _ = (traceback(facts, &verdicts), goroutine_profile(facts, 1));
}

fn changed(whole: &str, data: &[u8]) -> Vec<u8> {
    let mut facts: Value = serde_json::from_str(whole).unwrap_or_default();
    let mut n = 0;
    number(&mut facts, usize::MAX, 0, &mut n);
    for order in data.chunks_exact(10) {
        let Some((which, word)) = order.split_first_chunk::<2>() else { break };
        let value = word.try_into().map_or(0, u64::from_le_bytes);
        number(&mut facts, usize::from(u16::from_le_bytes(*which)) % n.max(1), value, &mut 0);
    }
    serde_json::to_vec(&facts).unwrap_or_default()
}

/// Sets the number that is the `which`-th in the tree; `seen` counts them.
pub(crate) fn number(v: &mut Value, which: usize, value: u64, seen: &mut usize) {
    match v {
        Value::Number(n) => {
            if *seen == which {
                *n = value.into();
            }
            *seen += 1;
        }
        Value::Array(list) => list.iter_mut().for_each(|v| number(v, which, value, seen)),
        Value::Object(map) => map.values_mut().for_each(|v| number(v, which, value, seen)),
        _ => {}
    }
}
