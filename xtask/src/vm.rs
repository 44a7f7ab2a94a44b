//! `cargo xtask vm`: the end-to-end cases on a real cgroup v2, in a virtual machine (qemu's software
//! emulation, Debian's kernel). `lab/vm/run.sh` boots it, `lab/vm/guest.sh` lists the cases. A run of all of
//! them is kept in `benches/results/vm.txt`.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, exit};

use anyhow::{Context as _, Result, ensure};
use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::machine::{lastgasp, machine};
use lastgasp_lab::toolchain::{self, Toolchain};

/// Seconds for the whole machine, all cases.
const LONGEST: &str = "1500";

/// Builds what the machines need and plays `cases`, or all if none are named: those whose names begin with
/// `systemd` in a machine with systemd, the others in one with next to nothing. Ends this process with 1 if a
/// check failed and with 2 if they could not be played.
pub(crate) fn run(cases: &[String]) -> Result<()> {
    let lastgasp = lastgasp()?;
    let toolchain = toolchain::any(&cache_dir())?;
    let programs = programs(&toolchain)?;
    let folder = cache_dir().join("vm");
    let all_cases = cases.is_empty();
    let (mut consoles, mut codes) = (Vec::new(), Vec::new());
    for systemd in [false, true] {
        let cases: Vec<&str> = cases.iter().map(String::as_str).filter(|c| is_of_systemd(c) == systemd).collect();
        if cases.is_empty() && !all_cases {
            continue;
        }
        let status = Command::new(repo_root().join("lab/vm/run.sh"))
            .args([&lastgasp, &programs])
            .env("VM_DIR", &folder)
            .env("VM_CASES", cases.join(" "))
            .env("VM_SYSTEMD", if systemd { "1" } else { "" })
            .env("VM_TIMEOUT", std::env::var("VM_TIMEOUT").unwrap_or_else(|_| LONGEST.into()))
            .status()
            .context("lab/vm/run.sh")?;
        codes.push(status.code().unwrap_or(1));
        consoles.push(fs::read_to_string(folder.join("console.log")).unwrap_or_default());
    }
    // A check that failed weighs more than a machine that could not be had.
    for code in [1, 2] {
        if codes.contains(&code) {
            exit(code);
        }
    }
    ensure!(codes.iter().all(|code| *code == 0), "lab/vm/run.sh ended with {codes:?}");
    if all_cases {
        let result = repo_root().join("benches/results/vm.txt");
        fs::write(&result, table(&consoles, &toolchain.version)?)?;
        println!("kept in {}", result.display());
    }
    Ok(())
}

fn is_of_systemd(case: &str) -> bool {
    case.starts_with("systemd")
}

/// The lab's programs under their own names in one folder, linked statically: the machine has no C library.
fn programs(toolchain: &Toolchain) -> Result<PathBuf> {
    let folder = cache_dir().join("vm-programs");
    fs::create_dir_all(&folder)?;
    let lab = repo_root().join("lab/programs");
    let of_incident = ["resource-service", "admin", "loadgen"].map(|package| (lab.join("incident"), package));
    for (module, package) in of_incident.into_iter().chain([(lab.join("dies"), ".")]) {
        let built = build(toolchain, Mode::Stripped, &module, package)?;
        fs::copy(&built, folder.join(built.file_name().unwrap_or_default())).context("a program")?;
    }
    Ok(folder)
}

/// What is kept of the consoles' logs: the guests' own lines, without the kernel's and without the clock.
fn table(consoles: &[String], go: &str) -> Result<String> {
    let mut out = String::new();
    for console in consoles {
        let lines: Vec<&str> =
            console.lines().filter_map(|l| l.strip_prefix('[')?.split_once(" s] ")).map(|(_, l)| l).collect();
        let kernel =
            lines.iter().find_map(|l| l.strip_prefix("Linux ")?.split(',').next()).context("no kernel's name")?;
        let verdict = console.lines().rfind(|l| l.starts_with("VM-RESULT ")).context("no result")?;
        if out.is_empty() {
            out =
                machine(&format!("lab/vm, {go}; in the machine Linux {kernel}, cgroup v2, 2 emulated cores; outside"))?;
        }
        writeln!(out, "{}", verdict.trim_start_matches("VM-RESULT "))?;
        for line in lines.iter().skip(1).filter(|l| !l.trim_start().starts_with('|')) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    ensure!(!out.contains("FAIL"), "a check failed and the run passed");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_console() {
        let console = "[2 s] Linux 6.1.0-x, controllers: memory\n[3 s] ---- watch\n[    3.6] Memory cgroup out of memory: Killed\n\
            [9 s] ok    watch: process 7 has died\n[9 s]     | a report\nVM-RESULT PASS 1 checks\n";
        let kept = table(&[console.into()], "go1.26").unwrap();
        let lines: Vec<&str> = kept.lines().collect();
        assert!(lines[0].contains("Linux 6.1.0-x, cgroup v2"), "{kept}");
        assert_eq!(lines[1..], ["PASS 1 checks", "---- watch", "ok    watch: process 7 has died"]);
        assert!(table(&["nothing".into()], "go1.26").is_err());
    }
}
