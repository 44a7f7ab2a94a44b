//! The table of chores: what `cargo xtask help` prints, and what the documents are held against.

use std::fmt::Write as _;

/// A chore.
pub(crate) struct Chore {
    pub(crate) name: &'static str,
    /// Its arguments, as in a usage line.
    usage: &'static str,
    /// What it does, in one line.
    does: &'static str,
    pub(crate) doer: Doer,
}

/// Who carries a chore out.
#[derive(Clone, Copy)]
pub(crate) enum Doer {
    Demo,
    Dist,
    Goldens,
    Incident,
    Test,
    Tidy,
    Vm,
    /// A package of the workspace with arguments of its own.
    Program(&'static str),
    /// The same, of several chores: it is told which.
    ProgramNamed(&'static str),
}

/// In the order in which `cargo xtask help` lists them.
pub(crate) const CHORES: &[Chore] = &[
    Chore {
        name: "demo",
        usage: "",
        does: "build lastgasp and play the lab's incident under it: ends with the verdict and the path of the HTML report",
        doer: Doer::Demo,
    },
    Chore {
        name: "test",
        usage: "fast|go|root|vm|all",
        does: "the tests of one tier, or all; those that had to be skipped are counted as skipped",
        doer: Doer::Test,
    },
    Chore {
        name: "bench-source",
        usage: "[corpus|labels|speed FOLDER...|list FOLDER|--peers LASTGASP LABELS...]",
        does: "how right lastgasp check is on labelled source, how fast and how large a million lines are: benches/results/source.txt",
        doer: Doer::Program("lastgasp-source-lab"),
    },
    Chore {
        name: "goldens",
        usage: "",
        does: "what is expected of the recorded captures, written anew: read the difference",
        doer: Doer::Goldens,
    },
    Chore {
        name: "tidy",
        usage: "",
        does: "documents against the code: paths, lists, names, headings, the width of comments",
        doer: Doer::Tidy,
    },
    Chore {
        name: "vm",
        usage: "[--cases A,B]",
        does: "the end-to-end cases on a real cgroup v2, in a virtual machine (needs qemu-system-x86 and cpio)",
        doer: Doer::Vm,
    },
    Chore {
        name: "matrix",
        usage: "[--minors 22,27] [--modes plain,c-shared,graph] [--lastgasp PATH]",
        does: "the lab's oracle with every Go minor in every mode, and heaps of which all is known, held against what they say of themselves",
        doer: Doer::Program("lastgasp-matrix"),
    },
    Chore {
        name: "real",
        usage: "[--programs A,B] [--load SECONDS] [--graph] [--leaks MINUTES] [--deaths] [--loads A,B] [--again] [--lastgasp PATH]",
        does: "large Go programs that others wrote, under load, held against their own pprof output, their heaps against the collector's marks; then their deaths of memory, against the truth",
        doer: Doer::Program("lastgasp-real"),
    },
    Chore {
        name: "deaths",
        usage: "[--ways A,B] [--third N] [--ci] [--go VERSION] [--bin PATH]",
        does: "Go programs that die of memory in many ways, profiled and not: what the report says of each, against the truth",
        doer: Doer::Program("lastgasp-deaths"),
    },
    Chore {
        name: "causes",
        usage: "[NAMES] [--go 19,27] [--modes plain,stripped] [--core] [--bin PATH]",
        does: "Go programs whose goroutines wait for ever, and their repaired twins: what the report says of each goroutine, against the truth",
        doer: Doer::Program("lastgasp-causes"),
    },
    Chore {
        name: "incident",
        usage: "[SCENARIO.toml] [--json FILE] [--seed N] [--all] [--hold-out] [--only A,B] [--again] [--what-if] [--bin PATH] [--keep DIR] [--check]",
        does: "a world on this machine (instances, HAProxy, callers, etcd, an admin platform, Prometheus, lastgasp watch) is played by a scenario: ends with the verdict; --all plays all and holds verdicts against the truth",
        doer: Doer::Incident,
    },
    Chore {
        name: "bench",
        usage: "[--kills N] [--calm SECONDS]",
        does: "kill the lab's incident again and again under lastgasp and print how well it was recorded",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-read",
        usage: "[--times N]",
        does: "captures of a large process: how long it stands still, against what the kernel needs to copy as much",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-graphs",
        usage: "[--kills N] [--calm SECONDS] [--busy] [--lastgasp PATH]",
        does: "kill the lab's incident again and again: after how many kills the heap graph of the dead is whole, its time and memory",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-heap",
        usage: "[--sizes 0.25,2] [--goref PATH] [--viewcore PATH] [--peers-up-to GIB] [--lastgasp PATH]",
        does: "the heap of a large process and of its core as a graph: wall, stop, processor time, memory, beside goref and viewcore",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-goroutines",
        usage: "[--programs A,B] [--times N] [--crowds 15000,100000] [--lastgasp PATH]",
        does: "which goroutines can never be woken, beside Go's own goroutineleak profile of the same process; and how long it takes",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-escapes",
        usage: "[--programs lab,nats-server] [--go 22,24,27] [--load SECONDS] [--lastgasp PATH]",
        does: "how much of what the lab's service and programs of others allocate gets a reason of the compiler; ranked beside go tool pprof",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-advice",
        usage: "[--go 22,24,27] [--lastgasp PATH]",
        does: "ten sites of the lab as they are and cured by hand: what lastgasp escapes predicts to be saved beside what is",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-watch",
        usage: "kills|storm|cost|served|soak",
        does: "lastgasp watch on real Go programs: kills, storms, what it costs, how long it lasts",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "bench-hostile",
        usage: "[--times N] [--ways A,B] [--lastgasp PATH]",
        does: "tenants without rights try to end lastgasp watch or to blind it, in 32 ways, while a program beside them dies of memory",
        doer: Doer::ProgramNamed("lastgasp-bench"),
    },
    Chore {
        name: "layouts",
        usage: "[--minor N] [--check] [--patches] [--experiments]",
        does: "crates/goruntime/src/layout/go1_*.rs from the DWARF of a probe program built with each Go release",
        doer: Doer::Program("lastgasp-layouts"),
    },
    Chore {
        name: "dist",
        usage: "",
        does: "the static binary (musl) and an archive of it with the systemd unit",
        doer: Doer::Dist,
    },
];

/// All chores, one a paragraph.
pub(crate) fn help() -> String {
    let mut out = String::from("usage: cargo xtask CHORE\n");
    for c in CHORES {
        // Writing into a String cannot fail.
        let _ = write!(out, "\n  {} {}\n      {}\n", c.name, c.usage, c.does);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chore_is_listed_once() {
        let help = help();
        for c in CHORES {
            assert_eq!(CHORES.iter().filter(|o| o.name == c.name).count(), 1, "{}", c.name);
            assert!(help.contains(&format!("\n  {} ", c.name)), "{help}");
        }
    }
}
