//! Programs with goroutines that are leaked, parked at the moment at which they would write what the runtime
//! itself says of that: those of Go's own test of its goroutineleak profile
//! (`src/runtime/testdata/testgoroutineleakprofile`, 63 of GoBench's kernels among them), and ours.
//!
//! Go's are built from a copy in which `runtime/pprof` is replaced by a package that says READY, waits for a
//! byte, and writes the profile then: so both look at the same process in the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::build::cache_dir;
use crate::oracle::wait_for_rest;
use crate::toolchain::Toolchain;

/// What stands in the place of `runtime/pprof`.
const HELD: &str = r#"// Package held parks a program at the moment at which it would write its goroutineleak profile.
package held

import (
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"syscall"
	"time"
)

type Profile struct{ of *pprof.Profile }

func Lookup(name string) *Profile { return &Profile{pprof.Lookup(name)} }

func (p *Profile) WriteTo(w io.Writer, debug int) error {
	if w != io.Writer(os.Stdout) {
		return p.of.WriteTo(w, debug)
	}
	syscall.Write(1, []byte("READY\n"))
	var b [1]byte
	syscall.Read(0, b[:])
	began := time.Now()
	p.of.WriteTo(os.Stdout, debug)
	fmt.Printf("\nTOOK %d\n", time.Since(began).Nanoseconds())
	os.Exit(0)
	return nil
}
"#;

/// A program of Go's own test.
#[derive(Clone, Debug)]
pub struct GoProgram {
    /// As its test names it: `Cockroach584`.
    pub name: String,
    /// The binary that it is one function of.
    pub binary: PathBuf,
    /// Whether Go's test has it among those that one processor makes reliable.
    pub simple: bool,
}

/// Go's own programs, built; those that the test plays and expects leaks of, or none.
///
/// # Errors
/// The release has no such test, or they do not build.
pub fn go_programs(toolchain: &Toolchain) -> Result<Vec<GoProgram>> {
    let sources = toolchain.sources()?.join("runtime");
    let testdata = sources.join("testdata/testgoroutineleakprofile");
    let test = fs::read_to_string(sources.join("goroutineleakprofile_test.go"))
        .with_context(|| format!("{} has no test of goroutine leaks", toolchain.name()))?;
    let home = cache_dir().join("leaks").join(toolchain.name());
    let mut out = Vec::new();
    for (folder, binary) in [(testdata.clone(), "patterns"), (testdata.join("goker"), "goker")] {
        let built = built(toolchain, &folder, &home, binary)?;
        for file in sources_of(&folder)? {
            let text = fs::read_to_string(file)?;
            for name in text.split("register(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let simple = test.contains(&format!("makeTest(\"{name}\""));
                if simple || test.contains(&format!("makeFlakyTest(\"{name}\"")) {
                    out.push(GoProgram { name: name.to_owned(), binary: built.clone(), simple });
                }
            }
        }
    }
    Ok(out)
}

fn sources_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> = files.filter(|p| p.extension().is_some_and(|e| e == "go")).collect();
    files.sort();
    Ok(files)
}

/// A copy of the folder's programs that parks, built as one binary.
fn built(toolchain: &Toolchain, folder: &Path, home: &Path, name: &str) -> Result<PathBuf> {
    let (copy, binary) = (home.join(name), home.join(format!("{name}.bin")));
    fs::create_dir_all(copy.join("held"))?;
    let turn = fs::File::create(home.join(".lock"))?;
    turn.lock()?;
    fs::write(copy.join("go.mod"), "module leaks\n\ngo 1.26\n")?;
    fs::write(copy.join("held/held.go"), HELD)?;
    for file in sources_of(folder)? {
        let text = fs::read_to_string(&file)?.replace("\"runtime/pprof\"", "pprof \"leaks/held\"");
        fs::write(copy.join(file.file_name().context("a file")?), text)?;
    }
    let out = toolchain.command().current_dir(&copy).args(["build", "-o"]).arg(&binary).arg(".").output()?;
    if !out.status.success() {
        bail!("go build of {}: {}", folder.display(), String::from_utf8_lossy(&out.stderr));
    }
    Ok(binary)
}

/// A program that is parked; ended when dropped.
#[derive(Debug)]
pub struct Parked {
    child: Child,
    output: BufReader<ChildStdout>,
    dir: TempDir,
}

/// What the runtime says of its own goroutines.
#[derive(Clone, Debug, Default)]
pub struct OwnWord {
    /// Those that it calls leaked.
    pub leaked: BTreeSet<u64>,
    /// Why each goroutine waits, or what else it does.
    pub states: BTreeMap<u64, String>,
    /// How long that took, its collection included; absent where there is no such profile.
    pub took: Option<Duration>,
}

impl Parked {
    /// Starts a program of Go's own test; returns once it is parked and nothing in it moves any more.
    ///
    /// # Errors
    /// It ended early.
    pub fn start_go(program: &GoProgram) -> Result<Self> {
        let mut command = Command::new(&program.binary);
        command.arg(&program.name).env("GODEBUG", "asyncpreemptoff=1");
        if program.simple {
            command.env("GOMAXPROCS", "1");
        }
        Self::start(command)
    }

    /// Starts any program that says READY and waits for a byte.
    ///
    /// # Errors
    /// It ended early.
    pub fn start(mut command: Command) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        command.current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("stdout")?);
        let mut line = String::new();
        while line.trim_end() != "READY" {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                bail!("it ended before it was ready: {}", child.wait()?);
            }
        }
        wait_for_rest(child.id());
        Ok(Self { child, output, dir })
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Its working folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Waits until it uses no processor time any more, `most` at longest: whether it does.
    #[must_use]
    pub fn rests(&self, most: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(150);
        let used = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields.get(11).zip(fields.get(12)).map(|(u, s)| format!("{u} {s}"))
        };
        let until = std::time::Instant::now() + most;
        loop {
            let before = used();
            std::thread::sleep(LOOK);
            if used() == before {
                return true;
            }
            if std::time::Instant::now() > until {
                return false;
            }
        }
    }

    /// Gives it the byte, and reads what it says of its own goroutines.
    ///
    /// # Errors
    /// The system's error.
    pub fn own_word(&mut self) -> Result<OwnWord> {
        self.child.stdin.as_mut().context("stdin")?.write_all(b"\n")?;
        let mut text = Vec::new();
        self.output.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let mut out = OwnWord::default();
        for line in text.lines() {
            if let Some(ns) = line.strip_prefix("TOOK ") {
                out.took = ns.parse().ok().map(Duration::from_nanos);
            }
            let Some((id, state)) = line.strip_prefix("goroutine ").and_then(|rest| rest.split_once(" [")) else {
                continue;
            };
            let (Ok(id), Some((state, _))) = (id.parse::<u64>(), state.split_once(']')) else { continue };
            if state.contains("(leaked)") {
                out.leaked.insert(id);
            }
            out.states.insert(id, state.replace(" (leaked)", ""));
        }
        Ok(out)
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a capture says of blocked goroutines.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `wake_up` of each, by number.
    pub wake_up: BTreeMap<u64, String>,
    /// Why each waits.
    pub reasons: BTreeMap<u64, String>,
    /// `by` of each.
    pub by: BTreeMap<u64, String>,
    /// Why nothing is proved.
    pub no_proof: Vec<String>,
    /// How long the process stood still.
    pub stopped: Duration,
    /// How long it took to find what goroutines wait for and who can be woken, the graph not counted.
    pub took: Duration,
    /// How long the graph took, with that.
    pub graph: Duration,
    /// How long the whole command took, until its folder was on the disk.
    pub command: Duration,
    /// All of it: `graph.blocked` of the capture's facts.
    pub blocked: Value,
}

impl Seen {
    /// Takes a capture of a process with its heap, and reads what it says. On a busy machine a thread may not
    /// stop in time: then it is tried again.
    ///
    /// # Errors
    /// It could not be taken, or has no graph.
    pub fn of(lastgasp: &Path, subject: &str, more: &[&str]) -> Result<Self> {
        const TIMES: usize = 5;
        let mut last = Self::once(lastgasp, subject, more);
        for _ in 1..TIMES {
            if last.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(300));
            last = Self::once(lastgasp, subject, more);
        }
        last
    }

    fn once(lastgasp: &Path, subject: &str, more: &[&str]) -> Result<Self> {
        let store = tempfile::tempdir()?;
        let mut command = Command::new(lastgasp);
        command.args(["capture", subject]).args(more).arg("--out").arg(store.path());
        let began = std::time::Instant::now();
        let out = command.output().with_context(|| lastgasp.display().to_string())?;
        let took = began.elapsed();
        // Of a hundred thousand goroutines not all stacks are copied, which is said by 3.
        if !matches!(out.status.code(), Some(0 | 3)) {
            bail!("{command:?}: {}", String::from_utf8_lossy(&out.stderr));
        }
        let folder = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
        let unpacked = Command::new("gzip").arg("-dc").arg(folder.join("facts.json.gz")).output()?;
        let facts: Value = serde_json::from_slice(&unpacked.stdout).context("facts.json.gz")?;
        let graph = &facts["graph"];
        let blocked = graph["blocked"].clone();
        let Some(each) = blocked["each"].as_array() else {
            bail!("no blocked goroutines in the capture: {}", facts["capture"]["gaps"])
        };
        let ns = |of: &Value| Duration::from_nanos(of.as_u64().unwrap_or_default());
        let of_waits = |p: &&Value| p["what"] == "what goroutines wait for";
        let waits = graph["phases"].as_array().into_iter().flatten().find(of_waits);
        let waits = Duration::from_micros(waits.and_then(|p| p["us"].as_u64()).unwrap_or_default());
        let mut seen = Self {
            stopped: ns(&graph["stopped_ns"]),
            took: waits + ns(&blocked["took_ns"]),
            graph: ns(&graph["took_ns"]),
            command: took,
            ..Self::default()
        };
        for g in each {
            let id = g["id"].as_u64().unwrap_or_default();
            let text = |name: &str| g[name].as_str().unwrap_or_default().to_owned();
            seen.wake_up.insert(id, text("wake_up"));
            seen.reasons.insert(id, text("reason"));
            seen.by.insert(id, text("by"));
        }
        let no_proof = blocked["no_proof"].as_array().into_iter().flatten();
        seen.no_proof = no_proof.map(|v| v.as_str().unwrap_or_default().to_owned()).collect();
        Ok(Self { blocked, ..seen })
    }

    /// Those of which it is proved that nothing can wake them.
    #[must_use]
    pub fn proved(&self) -> BTreeSet<u64> {
        let all = self.wake_up.iter().filter(|(_, w)| *w == "nothing" && self.no_proof.is_empty());
        all.map(|(id, _)| *id).collect()
    }
}
