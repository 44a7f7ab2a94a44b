//! Sites beside `go tool pprof -top -lines`, of the same profile: the same lines with the same bytes, in the
//! same order.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use lastgasp_lab::toolchain::Toolchain;

/// A line that allocates, by function and line, with its bytes.
type Ranked = Vec<(u64, String, u64)>;

/// How many of the first lines are the same, and of how many: those of more than nothing.
pub(super) fn agreement(toolchain: &Toolchain, profile: &Path, answer: &Value) -> Result<(usize, usize)> {
    let theirs = pprof(toolchain, profile)?;
    let mut ours: Ranked = answer["sites"]
        .as_array()
        .context("sites")?
        .iter()
        .filter_map(|s| {
            let bytes = s["allocated"]["bytes"].as_u64().filter(|b| *b > 0)?;
            Some((bytes, s["function"].as_str()?.to_owned(), s["line"].as_u64()?))
        })
        .collect();
    let most = ours.len();
    // That the order is by bytes is looked at as it was given; of lines of as many bytes any is first.
    if !ours.is_sorted_by(|a, b| a.0 >= b.0) {
        bail!("sites are not in the order of their bytes");
    }
    let order =
        |a: &(u64, String, u64), b: &(u64, String, u64)| b.0.cmp(&a.0).then_with(|| (&a.1, a.2).cmp(&(&b.1, b.2)));
    ours.sort_by(order);
    let mut theirs: Ranked = theirs;
    theirs.sort_by(order);
    let compared = most.min(theirs.len()).max(most.min(1));
    // Where the list is cut off lines of as many bytes may be on either side of the cut.
    let last = ours.last().map_or(0, |l| l.0);
    let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b || (a.0 == b.0 && a.0 == last && most == 1000)).count();
    Ok((same, compared))
}

fn pprof(toolchain: &Toolchain, profile: &Path) -> Result<Ranked> {
    let out = toolchain
        .command()
        .args(["tool", "pprof", "-top", "-lines", "-sample_index=alloc_space", "-unit=B"])
        .args(["-nodecount=1000000", "-nodefraction=0", "-edgefraction=0"])
        .arg(profile)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let mut all = Vec::new();
    // `  1234B 12.3% 12.3%  1234B 12.3%  main.f /a/b.go:12 (inline)`
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [flat, _, _, _, _, rest @ ..] = &words[..] else { continue };
        let Some(bytes) = flat.strip_suffix('B').or(Some(*flat)).and_then(|n| n.parse::<f64>().ok()) else { continue };
        let rest: Vec<&str> =
            rest.iter().copied().filter(|w| !w.starts_with('(') || w.len() > 20 || w.contains('.')).collect();
        let rest: Vec<&str> = rest.into_iter().filter(|w| !matches!(*w, "(inline)" | "(partial-inline)")).collect();
        let Some((at, function)) = rest.split_last() else { continue };
        let Some(line) = at.rsplit_once(':').and_then(|(_, n)| n.parse().ok()) else { continue };
        if bytes > 0.0 {
            all.push((bytes as u64, function.join(" "), line));
        }
    }
    if all.is_empty() {
        bail!("go tool pprof says nothing of {}: {}", profile.display(), String::from_utf8_lossy(&out.stderr));
    }
    Ok(all)
}
