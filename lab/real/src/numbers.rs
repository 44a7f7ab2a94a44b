//! The figures that a Go program publishes of its own memory, and those of a report beside them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// By our name.
pub type Numbers = BTreeMap<&'static str, f64>;

/// What is compared: our name; the terms that sum to it, of `go_memstats_*` (a leading minus subtracts).
const SUMS: &[(&str, &[&str])] = &[
    ("heap in use", &["heap_inuse_bytes"]),
    ("heap idle", &["heap_idle_bytes", "-heap_released_bytes"]),
    ("heap mapped", &["heap_sys_bytes", "-heap_released_bytes"]),
    ("stacks", &["stack_sys_bytes"]),
    ("metadata", &["mspan_sys_bytes", "mcache_sys_bytes", "buck_hash_sys_bytes", "gc_sys_bytes", "other_sys_bytes"]),
];

/// From Prometheus text.
///
/// # Errors
/// It does not hold the runtime's figures.
pub fn from_metrics(text: &str) -> Result<Numbers> {
    let all: BTreeMap<&str, f64> = text
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.rsplit_once(' ').and_then(|(k, v)| Some((k, v.parse().ok()?))))
        .collect();
    let mut out = sums(|term| all.get(format!("go_memstats_{term}").as_str()).copied());
    for (name, series) in [("gc cycles", "go_gc_duration_seconds_count"), ("goroutines", "go_goroutines")] {
        out.extend(all.get(series).map(|v| (name, *v)));
    }
    if out.is_empty() {
        bail!("no go_memstats_* in its metrics");
    }
    Ok(out)
}

/// From expvar's `memstats`.
///
/// # Errors
/// It does not hold the runtime's figures.
pub fn from_expvar(json: &[u8]) -> Result<Numbers> {
    let all: Value = serde_json::from_slice(json)?;
    let stats = all.get("memstats").context("no memstats in its /debug/vars")?;
    // `gc_sys_bytes` is GCSys there: names differ in case and in the underscores.
    let of = |term: &str| {
        let wanted = term.trim_end_matches("_bytes").replace('_', "");
        stats.as_object()?.iter().find(|(k, _)| k.to_lowercase() == wanted)?.1.as_f64()
    };
    let mut out = sums(of);
    out.extend(stats["NumGC"].as_f64().map(|v| ("gc cycles", v)));
    Ok(out)
}

fn sums(of: impl Fn(&str) -> Option<f64>) -> Numbers {
    let term = |t: &&str| t.strip_prefix('-').map_or_else(|| of(t), |t| of(t).map(|v| -v));
    SUMS.iter().filter_map(|(name, terms)| Some((*name, terms.iter().map(term).sum::<Option<f64>>()?))).collect()
}

/// The same figures from `lastgasp report --format json`.
#[must_use]
pub fn from_report(report: &Value) -> Numbers {
    // The gauges and not the ledger: that one says what is resident, and a program's own figures say what is
    // mapped.
    let gc = |name: &str| report["gc"][name].as_f64();
    let (in_use, idle) = (gc("heap_in_use_bytes"), gc("heap_idle_bytes"));
    let found = [
        ("heap in use", in_use),
        ("heap idle", idle),
        ("heap mapped", in_use.zip(idle).map(|(a, b)| a + b)),
        ("stacks", gc("stacks_bytes")),
        ("metadata", gc("metadata_bytes")),
        ("gc cycles", gc("cycles")),
        ("goroutines", report["goroutines"]["total"].as_f64()),
    ];
    found.into_iter().filter_map(|(k, v)| Some((k, v?))).collect()
}

/// How far a figure may lie outside of what the program said before and after: it moves in between. Cycles
/// are counted; they may not.
fn slack(name: &str, value: f64) -> f64 {
    match name {
        "gc cycles" => 0.0,
        // Two per cent, and the few that our own questions start: a connection has two or three, and
        // client_golang gathers on up to half a dozen of its own while it counts (seen: 40 said, 35 there,
        // every one of them equal in the goroutine profile; `Registry.Gather`).
        "goroutines" => value * 0.02 + 8.0,
        // Two per cent, and a chunk of the heap (the unit in which it grows and is given back).
        _ => value * 0.02 + f64::from(1 << 18),
    }
}

/// The figures that do not agree; and how many were compared.
#[must_use]
pub fn compare(before: &Numbers, after: &Numbers, ours: &Numbers) -> (usize, Vec<String>) {
    let (mut compared, mut differ) = (0, Vec::new());
    for (name, a) in before {
        let (Some(b), Some(our)) = (after.get(name), ours.get(name)) else { continue };
        compared += 1;
        let (low, high) = (a.min(*b), a.max(*b));
        if *our < low - slack(name, low) || *our > high + slack(name, high) {
            differ.push(format!("{name}: the program said {a:.0}, then {b:.0}; lastgasp {our:.0}"));
        }
    }
    (compared, differ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_say_the_same() {
        let text = "# HELP x\ngo_memstats_heap_inuse_bytes 5e+06\ngo_memstats_stack_sys_bytes 700\n\
            go_memstats_gc_sys_bytes 1\ngo_memstats_mspan_sys_bytes 2\ngo_memstats_mcache_sys_bytes 3\n\
            go_memstats_buck_hash_sys_bytes 4\ngo_memstats_other_sys_bytes 5\ngo_gc_duration_seconds_count 8\n";
        let json = br#"{"memstats":{"HeapInuse":5000000,"StackSys":700,"GCSys":1,"MSpanSys":2,"MCacheSys":3,"BuckHashSys":4,"OtherSys":5,"NumGC":8}}"#;
        let got = from_metrics(text).unwrap();
        assert_eq!(got, from_expvar(json).unwrap());
        assert_eq!((got["metadata"], got.len()), (15.0, 4));
    }

    #[test]
    fn a_figure_off_by_a_tenth_is_told() {
        let said = Numbers::from([("stacks", 50e6), ("gc cycles", 7.0)]);
        assert_eq!(compare(&said, &said, &said), (2, vec![]));
        let ours = Numbers::from([("stacks", 45e6), ("gc cycles", 8.0)]);
        assert_eq!(compare(&said, &said, &ours).1.len(), 2);
    }
}
