//! `lastgasp check` beside other readers of source, on the same snippets and the same projects: what each
//! finds of what is marked, what it says where nothing is marked, seconds and memory.
//!
//! Peers say other things too, and by other names: [`kinds`] tells which of our codes a rule of theirs is
//! about. A finding counts where it stands at most [`NEAR`] lines from the mark, for they name the opening of
//! a thing where we name its statement, and the other way round.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use lastgasp_gosource::is_quiet;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

use crate::corpus::{Spots, folder, wanted};
use crate::labels;

/// Lines between a mark and a finding about it.
const NEAR: u32 = 2;
/// Linters of golangci-lint that look for what we look for.
const LINTERS: &str = "noctx,bodyclose,sqlclosecheck,rowserrcheck,prealloc,contextcheck,perfsprint";
/// Peers that are built from the Go module proxy, with their versions.
const FETCHED: &[(&str, &str)] = &[
    ("staticcheck", "honnef.co/go/tools/cmd/staticcheck@v0.8.2"),
    ("golangci-lint", "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0"),
];

/// Which of our codes a peer's rule is about; none: about something else.
fn kinds(rule: &str) -> &'static [&'static str] {
    match rule {
        "bodyclose" | "httpresponse" => &["body-not-closed"],
        "noctx" => &["request-no-context", "client-no-timeout", "context-not-handed-on", "dial-no-timeout"],
        "sqlclosecheck" | "rowserrcheck" => &["rows-not-closed"],
        "prealloc" => &["make-without-size"],
        "contextcheck" => &["context-not-handed-on"],
        "copylocks" => &["wg-count-mismatch"],
        "waitgroup" | "SA2000" => &["wg-add-inside"],
        "SA1015" => &["ticker-not-stopped"],
        "SA5003" | "SA9001" => &["defer-in-loop"],
        "SA2003" => &["lock-not-released", "locked-again"],
        "SA4011" => &["goroutine-no-exit", "select-no-way-out"],
        _ => &[],
    }
}

/// One finding of anybody.
struct Said {
    rule: String,
    file: String,
    line: u32,
}

/// What one run gave.
struct Run {
    said: Vec<Said>,
    cost: Cost,
}

/// What it cost.
#[derive(Clone, Copy, Default)]
struct Cost {
    seconds: f64,
    processor: f64,
    largest: u64,
}

/// A reader of source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    Lastgasp,
    Vet,
    Staticcheck,
    Golangci,
}

impl Peer {
    const ALL: [Self; 4] = [Self::Lastgasp, Self::Vet, Self::Staticcheck, Self::Golangci];

    fn name(self) -> &'static str {
        match self {
            Self::Lastgasp => "lastgasp check",
            Self::Vet => "go vet",
            Self::Staticcheck => "staticcheck v0.8.2",
            Self::Golangci => "golangci-lint v2.15.0",
        }
    }
}

/// Where programs are.
struct Tools {
    lastgasp: PathBuf,
    folder: PathBuf,
}

/// The table; programs that are not there are built into `target/peers`. `projects` are names of files in
/// `labels`, without their ending.
pub(crate) fn table(lastgasp: &Path, projects: &[&str]) -> Result<String> {
    let tools = Tools {
        lastgasp: lastgasp.canonicalize().with_context(|| lastgasp.display().to_string())?,
        folder: fetched()?,
    };
    let mut out = String::from(
        "lastgasp check beside other readers of source (cargo xtask bench-source --peers)\n\n\
         found: of what is marked, or labelled as right by hand; else: findings about the same things where nothing is\n\
         marked (false in the snippets, in projects not judged); other: findings about other things. Seconds are of a first\n\
         run after the packages were compiled; memory is that of the largest process. Golangci-lint runs ",
    );
    writeln!(out, "{LINTERS}.\nLabels are of findings that lastgasp made: of projects they favour it.\n")?;
    let head = ["", "found", "of", "missed", "else", "other", "s", "CPU s", "MB"];
    writeln!(
        out,
        "{:<24}{:>7}{:>6}{:>8}{:>7}{:>7}{:>8}{:>8}{:>7}",
        head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7], head[8]
    )?;
    let marks = wanted()?;
    for (name, root, start, packages) in [
        ("snippets", folder(), "corpus/", "./corpus/..."),
        ("services", folder().join("services"), "services/", "./..."),
    ] {
        let cut = if name == "services" { start } else { "" };
        let want: Spots = marks
            .iter()
            .filter(|(file, _, code)| file.starts_with(start) && !is_quiet(code))
            .map(|(file, line, code)| (file.trim_start_matches(cut).to_owned(), *line, code.clone()))
            .collect();
        rows(&mut out, &tools, name, &root, packages, &want)?;
    }
    for project in projects {
        let (module, place, right) = labels::right(project)?;
        match place {
            Some(place) => rows(&mut out, &tools, &module, &place, "./...", &right)?,
            None => writeln!(out, "SKIPPED {module}: not in the module cache (go mod download fetches it)")?,
        }
    }
    Ok(out)
}

fn rows(out: &mut String, tools: &Tools, name: &str, root: &Path, packages: &str, want: &Spots) -> Result<()> {
    writeln!(out, "\n{name}")?;
    for peer in Peer::ALL {
        let run = match run(peer, tools, root, packages) {
            Ok(run) => run,
            Err(e) => {
                let why = format!("{e:#}");
                writeln!(out, "{:<24}  NOT RUN: {}", peer.name(), why.lines().next().unwrap_or_default())?;
                continue;
            }
        };
        let about = |said: &Said, code: &str| {
            if peer == Peer::Lastgasp { said.rule == code } else { kinds(&said.rule).contains(&code) }
        };
        let near = if peer == Peer::Lastgasp { 0 } else { NEAR };
        let meets = |said: &Said, spot: &(String, u32, String)| {
            said.file == spot.0 && said.line.abs_diff(spot.1) <= near && about(said, &spot.2)
        };
        let found = want.iter().filter(|spot| run.said.iter().any(|s| meets(s, spot))).count();
        let ours = |s: &&Said| peer == Peer::Lastgasp && !is_quiet(&s.rule) || !kinds(&s.rule).is_empty();
        // Two linters, or one, may say the same of one line.
        let of_ours: BTreeSet<_> = run
            .said
            .iter()
            .filter(ours)
            .filter(|s| !want.iter().any(|spot| meets(s, spot)))
            .map(|s| (&s.file, s.line, &s.rule))
            .collect();
        let other = run.said.iter().filter(|s| !ours(s)).count();
        writeln!(
            out,
            "{:<24}{found:>7}{:>6}{:>8}{:>7}{other:>7}{:>8.1}{:>8.1}{:>7}",
            peer.name(),
            want.len(),
            want.len() - found,
            of_ours.len(),
            run.cost.seconds,
            run.cost.processor,
            run.cost.largest / 1_000_000
        )?;
    }
    Ok(())
}

fn run(peer: Peer, tools: &Tools, root: &Path, packages: &str) -> Result<Run> {
    let root = root.canonicalize()?;
    let (program, arguments): (PathBuf, Vec<&str>) = match peer {
        Peer::Lastgasp => (
            tools.lastgasp.clone(),
            vec!["check", packages.trim_start_matches("./").trim_end_matches("..."), "--format", "json"],
        ),
        Peer::Vet => ("go".into(), vec!["vet", "-json", packages]),
        Peer::Staticcheck => (tools.folder.join("staticcheck"), vec!["-tests=false", "-f", "json", packages]),
        Peer::Golangci => (
            tools.folder.join("golangci-lint"),
            vec![
                "run",
                "--no-config",
                "--default=none",
                "--enable",
                LINTERS,
                "--tests=false",
                "--output.json.path=stdout",
                "--max-issues-per-linter=0",
                "--max-same-issues=0",
                "--show-stats=false",
                "--allow-parallel-runners",
                packages,
            ],
        ),
    };
    let arguments: Vec<&str> = arguments.into_iter().map(|a| if a.is_empty() { "." } else { a }).collect();
    // Peers ask Go for compiled packages: the first run compiles them, and is not theirs.
    if peer != Peer::Lastgasp {
        Command::new("go").args(["vet", packages]).current_dir(&root).output()?;
    }
    // A process of its own, so that its largest child is this program or one that it started.
    let me = std::env::current_exe()?;
    let output = Command::new(me).arg("cost").arg(&program).args(&arguments).current_dir(&root).output()?;
    let (text, said_aloud) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let cost = said_aloud.lines().rev().find_map(|l| l.strip_prefix("cost ")).context("no cost")?;
    let numbers: Vec<f64> = cost.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    let [seconds, processor, largest] = numbers.as_slice() else { bail!("cost: {cost}") };
    let cost = Cost { seconds: *seconds, processor: *processor, largest: *largest as u64 };
    let said = match peer {
        Peer::Lastgasp => of_lastgasp(&text)?,
        // It writes to the one or the other, by its version.
        Peer::Vet => of_vet(&format!("{text}\n{said_aloud}")),
        Peer::Staticcheck => of_staticcheck(&text),
        Peer::Golangci => {
            of_golangci(&text).with_context(|| said_aloud.lines().next().unwrap_or_default().to_owned())?
        }
    };
    let root = format!("{}/", root.display());
    let said = said.into_iter().map(|s| Said { file: s.file.trim_start_matches(&root).to_owned(), ..s }).collect();
    Ok(Run { said, cost })
}

/// `bench-source cost PROGRAM ARGUMENTS`: runs it and says what it cost, on standard error, as the last line.
#[allow(clippy::print_stderr)]
pub(crate) fn cost(program: &str, arguments: &[&str]) -> Result<()> {
    let began = Instant::now();
    Command::new(program).args(arguments).status().with_context(|| program.to_owned())?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    let processor = seconds(usage.user_time()) + seconds(usage.system_time());
    // Linux gives kilobytes (getrusage(2)).
    eprintln!("\ncost {} {processor} {}", began.elapsed().as_secs_f64(), usage.max_rss() * 1024);
    Ok(())
}

fn number(v: &Value) -> u32 {
    v.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or_default()
}

fn text(v: &Value) -> String {
    v.as_str().unwrap_or_default().to_owned()
}

fn of_lastgasp(out: &str) -> Result<Vec<Said>> {
    let document: Value = serde_json::from_str(out)?;
    let findings = document["findings"].as_array().context("no findings")?;
    Ok(findings
        .iter()
        .map(|f| Said { rule: text(&f["code"]), file: text(&f["file"]), line: number(&f["line"]) })
        .collect())
}

/// `{"package": {"analyzer": [{"posn": "file:line:column"}]}}`, one document for each package, between lines
/// that begin with `#`.
fn of_vet(out: &str) -> Vec<Said> {
    let json: String =
        out.lines().filter(|l| !l.starts_with('#') && !l.starts_with("cost ")).fold(String::new(), |a, l| a + l + "\n");
    let documents = serde_json::Deserializer::from_str(&json).into_iter::<Value>().map_while(std::result::Result::ok);
    let mut said = Vec::new();
    for analyzers in documents.filter_map(|d| d.as_object().cloned()).flat_map(|d| d.into_iter().map(|(_, a)| a)) {
        for (rule, list) in analyzers.as_object().into_iter().flatten() {
            for finding in list.as_array().into_iter().flatten() {
                let place = text(&finding["posn"]);
                let mut parts = place.rsplitn(3, ':');
                let line = parts.nth(1).and_then(|l| l.parse().ok()).unwrap_or_default();
                said.push(Said { rule: rule.clone(), file: parts.next().unwrap_or_default().to_owned(), line });
            }
        }
    }
    said
}

fn of_staticcheck(out: &str) -> Vec<Said> {
    let findings = out.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
    findings
        .map(|f| Said {
            rule: text(&f["code"]),
            file: text(&f["location"]["file"]),
            line: number(&f["location"]["line"]),
        })
        .collect()
}

fn of_golangci(out: &str) -> Result<Vec<Said>> {
    let document: Value = serde_json::from_str(out.lines().next().unwrap_or_default())?;
    let issues = document["Issues"].as_array().cloned().unwrap_or_default();
    // Where a package does not compile it says that and nothing else.
    if let Some(broken) = issues.iter().find(|i| i["FromLinter"] == "typecheck") {
        bail!("does not compile: {}", text(&broken["Text"]).trim());
    }
    Ok(issues
        .iter()
        .map(|i| Said {
            rule: text(&i["FromLinter"]),
            file: text(&i["Pos"]["Filename"]),
            line: number(&i["Pos"]["Line"]),
        })
        .collect())
}

/// The folder with the peers that had to be built.
fn fetched() -> Result<PathBuf> {
    let place = folder().join("../../target/peers");
    std::fs::create_dir_all(&place)?;
    let place = place.canonicalize()?;
    for (name, module) in FETCHED {
        if !place.join(name).is_file() {
            let status = Command::new("go").args(["install", module]).env("GOBIN", &place).status()?;
            if !status.success() {
                bail!("go install {module}: {status}");
            }
        }
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_says() {
        let vet = of_vet(
            "# corpus/a\n{\"a\": {\"copylocks\": [{\"posn\": \"/x/a.go:12:3\", \"message\": \"\"}]}}\n# b\n{\"b\": {}}\ncost 1 2 3\n",
        );
        assert_eq!(
            (vet.len(), vet[0].rule.as_str(), vet[0].file.as_str(), vet[0].line),
            (1, "copylocks", "/x/a.go", 12)
        );
        let check = of_staticcheck("{\"code\":\"SA2000\",\"location\":{\"file\":\"/x/a.go\",\"line\":7}}\nno JSON\n");
        assert_eq!((check.len(), check[0].rule.as_str(), check[0].line), (1, "SA2000", 7));
        let lint =
            of_golangci("{\"Issues\":[{\"FromLinter\":\"noctx\",\"Pos\":{\"Filename\":\"a.go\",\"Line\":9}}]}\n")
                .unwrap();
        assert_eq!((lint[0].rule.as_str(), lint[0].line), ("noctx", 9));
        assert!(of_golangci("").is_err());
        assert!(of_golangci("{\"Issues\":[{\"FromLinter\":\"typecheck\",\"Text\":\"\"}]}\n").is_err());
    }

    #[test]
    fn rules_of_peers_are_about_codes_that_there_are() {
        for rule in [
            "bodyclose",
            "noctx",
            "sqlclosecheck",
            "prealloc",
            "copylocks",
            "waitgroup",
            "SA1015",
            "SA5003",
            "SA2003",
            "SA4011",
        ] {
            for code in kinds(rule) {
                assert!(lastgasp_gosource::catalogue().any(|i| i.code == *code), "{rule}: {code}");
            }
        }
        assert!(kinds("perfsprint").is_empty());
    }
}
