//! `cargo xtask layouts --patches`: whether the first and the last patch release of a minor have the same layouts, so that one table may serve them all.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::toolchain::{self, RELEASES, Toolchain, find_or_fetch};

use crate::layouts::{differences, table_of};

/// Prints a table, and fails if a field that we read moved within a minor.
pub(crate) fn run(minors: &[u16]) -> Result<()> {
    let any = toolchain::any(&cache_dir())?;
    let patches = listed(&any)?;
    let mut moved = 0;
    for (minor, release) in RELEASES.iter().filter(|(m, _)| minors.is_empty() || minors.contains(m)) {
        let ours = find_or_fetch(*minor, &cache_dir())?;
        let table = table_of(&ours, "runtime-only")?;
        // 1.19 of the module proxy builds nothing (see RELEASES).
        let Some((first, last)) = patches.get(minor).filter(|_| *minor >= 20) else {
            println!("Go 1.{minor}: {release} alone can be had");
            continue;
        };
        for patch in [first, last] {
            let name = patch.name(*minor);
            let compared = any.at(&name).and_then(|t| table_of(&t, "runtime-only"));
            match compared.map(|other| differences(&table, &other)) {
                Ok(d) if d.is_empty() => println!("Go 1.{minor}: {name} equal to {}", ours.version),
                Ok(d) => {
                    moved += 1;
                    println!("Go 1.{minor}: {name} DIFFERENT from {}:\n  {}", ours.version, d.join("\n  "));
                }
                Err(e) => println!("Go 1.{minor}: {name} could not be had: {e:#}"),
            }
        }
    }
    if moved > 0 {
        bail!("{moved} patch releases have other layouts than the table of their minor");
    }
    Ok(())
}

/// A patch number; 1.20.0 and older are named without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Patch(u16);

impl Patch {
    fn name(self, minor: u16) -> String {
        if self.0 == 0 && minor < 21 { format!("go1.{minor}") } else { format!("go1.{minor}.{}", self.0) }
    }
}

/// First and last patch release of each minor that the Go module proxy has, asked with the `go` command.
fn listed(any: &Toolchain) -> Result<BTreeMap<u16, (Patch, Patch)>> {
    let dir = cache_dir().join("patches");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("go.mod"), "module patches\n")?;
    let out = any.command().current_dir(dir).args(["list", "-m", "-versions", "golang.org/toolchain"]).output()?;
    if !out.status.success() {
        bail!("go list -m -versions golang.org/toolchain: {}", String::from_utf8_lossy(&out.stderr));
    }
    let text = String::from_utf8(out.stdout).context("versions")?;
    let mut found: BTreeMap<u16, (Patch, Patch)> = BTreeMap::new();
    for version in text.split_whitespace().filter_map(|v| v.strip_suffix(".linux-amd64")?.split_once("-go1.")) {
        let (minor, patch) = version.1.split_once('.').unwrap_or((version.1, "0"));
        let (Ok(minor), Ok(patch)) = (minor.parse(), patch.parse().map(Patch)) else { continue };
        let ends = found.entry(minor).or_insert((patch, patch));
        *ends = (ends.0.min(patch), ends.1.max(patch));
    }
    Ok(found)
}
