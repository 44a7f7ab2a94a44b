//! `cargo xtask layouts --experiments`: which `GOEXPERIMENT`s move a field of the runtime that we read. Such
//! a build is refused by name.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::{cache_dir, repo_root};
use lastgasp_lab::experiments::of;
use lastgasp_lab::toolchain::{RELEASES, find_or_fetch};

use crate::tables::{RUNTIME_ONLY, differences, is_of_one_form, proves_itself, table_of};

/// Writes `crates/goruntime/src/layout/experiments.rs`, or with `check` compares.
pub(crate) fn run(minors: &[u16], check: bool) -> Result<()> {
    let file = repo_root().join("crates/goruntime/src/layout/experiments.rs");
    let mut text = String::from(
        "//! Experiments (`GOEXPERIMENT`) that move a field which we read, by minor. Made by\n//! `cargo xtask layouts --experiments`; do not edit.\n\n\
         /// (minor, experiment as the version names it, the fields).\n\
         pub(super) static MOVING: &[(u16, &str, &[&str])] = &[\n",
    );
    let all: BTreeSet<u16> = RELEASES.iter().map(|r| r.0).filter(|m| minors.is_empty() || minors.contains(m)).collect();
    for minor in all {
        // What an experiment moves in the newest patch release of a minor it moves in those before.
        let toolchain = find_or_fetch(minor, &cache_dir())?;
        let table = table_of(&toolchain, RUNTIME_ONLY)?;
        for experiment in of(&toolchain)? {
            let other = table_of(&toolchain.with_experiment(&experiment), RUNTIME_ONLY)?;
            // What the table says is not there is not read, wherever the experiment puts it (`hmap` with
            // noswissmap).
            let moved: Vec<String> = differences(&table, &other)
                .into_iter()
                .filter(|d| !d.contains(": None and ") && !proves_itself(d) && !is_of_one_form(d))
                .collect();
            println!("{} {experiment}: {}", toolchain.version, if moved.is_empty() { "equal" } else { "different" });
            if !moved.is_empty() {
                println!("  {}", moved.join("\n  "));
                let fields: Vec<String> =
                    moved.iter().filter_map(|m| Some(format!("{:?}", m.split_once(':')?.0))).collect();
                writeln!(text, "    ({minor}, {experiment:?}, &[{}]),", fields.join(", "))?;
            }
        }
    }
    text.push_str("];\n");
    if !minors.is_empty() {
        return Ok(());
    }
    if !check {
        return std::fs::write(&file, text).with_context(|| file.display().to_string());
    }
    let plain = |t: &str| t.chars().filter(|c| !c.is_whitespace() && *c != ',').collect::<String>();
    if plain(&std::fs::read_to_string(&file)?) != plain(&text) {
        bail!("{} is not what the toolchains say", file.display());
    }
    Ok(())
}
