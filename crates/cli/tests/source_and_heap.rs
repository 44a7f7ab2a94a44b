//! The source beside the heap: one mistake found in both, and each names the other. With a Go toolchain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use lastgasp_lab::build::{Mode, build, cache_dir, repo_root};
use lastgasp_lab::toolchain::{Toolchain, find_or_fetch};
use serde_json::Value;

const LASTGASP: &str = env!("CARGO_BIN_EXE_lastgasp");

fn toolchain(minor: u16) -> Option<Toolchain> {
    find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()
}

fn lastgasp(toolchain: &Toolchain, args: &[&str]) -> Output {
    let mut command = Command::new(LASTGASP);
    command.args(args).current_dir(repo_root());
    command.env("GOTOOLCHAIN", &toolchain.gotoolchain).env("GOFLAGS", "-mod=mod").env("GOWORK", "off");
    command.output().unwrap()
}

fn json(out: &Output) -> Value {
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(matches!(out.status.code(), Some(0 | 3)), "{}: {said}", out.status);
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {said}"))
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of the lab that says when it is ready, and waits.
fn started(toolchain: &Toolchain, mode: Mode, name: &str) -> Running {
    let binary = build(toolchain, mode, &repo_root().join("lab/programs").join(name), ".").unwrap();
    let mut child = Command::new(binary).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    Running(child)
}

/// `a = b[:3]`: the rule about source and the rule about heaps say the same of the same line.
fn a_kept_slice_is_found_in_source_and_heap(minor: u16, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let running = started(&toolchain, mode, "kept");
    let store = tempfile::tempdir().unwrap();
    let pid = running.0.id().to_string();
    let taken = lastgasp(
        &toolchain,
        &["capture", &pid, "--heap", "--max-stop", "10s", "--out", store.path().to_str().unwrap()],
    );
    let capture = PathBuf::from(String::from_utf8_lossy(&taken.stdout).trim());
    assert!(capture.is_dir(), "{}", String::from_utf8_lossy(&taken.stderr));
    let capture = capture.to_str().unwrap();

    let checked = json(&lastgasp(
        &toolchain,
        &[
            "check",
            "lab/programs/kept",
            "--with",
            capture,
            "--typed",
            "--go",
            toolchain.go.to_str().unwrap(),
            "--format",
            "json",
        ],
    ));
    let source = std::fs::read_to_string(repo_root().join("lab/programs/kept/main.go")).unwrap();
    let line = |text: &str| source.lines().position(|l| l.trim() == text).unwrap() as u64 + 1;
    let linked = checked["beside"]["linked"].as_array().unwrap();
    // The first elements keep room, the last ones a part in front of them: the heap tells them apart.
    let (first, last) = (line("a = b[:3]"), line("tail = b[len(b)-3:]"));
    for (line, evidence) in
        [(first, "kept alive by this slice, as room beyond its length"), (last, "kept alive by this sub-slice")]
    {
        let found = checked["findings"].as_array().unwrap().iter().find(|f| f["line"] == line);
        let found = found.unwrap_or_else(|| panic!("line {line}: {checked:#}"));
        assert_eq!((&found["code"], &found["certainty"]), (&"slice-kept".into(), &"seen".into()), "{found:#}");
        assert!(found["evidence"].to_string().contains(evidence), "{found:#}");
        let is_linked = linked.iter().any(|l| l["findings"].as_array().unwrap().contains(&found["fingerprint"]));
        assert!(is_linked, "line {line}: {linked:#?}");
    }
    assert!(linked.iter().any(|l| l["code"] == "slice-retention"), "{linked:#?}");
    let cures = checked["beside"]["cures"].to_string();
    assert!(cures.contains("slices.Clone(b[:3])") && cures.contains("slices.Clone(b[len(b)-3:])"), "{cures}");

    let told = lastgasp(&toolchain, &["report", capture, "--source", "lab/programs/kept"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("slice-retention") && told.contains(&format!("main.go:{last} [slice-kept]")), "{told}");
    // The one that copies is accused of nothing; that it allocates, a sample may say.
    assert!(!told.contains(&format!("main.go:{} [", line("copied = append([]int(nil), b[:3]...)"))), "{told}");
}

#[test]
fn a_kept_slice_in_go_1_27() {
    a_kept_slice_is_found_in_source_and_heap(27, Mode::Plain);
}

#[test]
fn a_kept_slice_in_go_1_22() {
    a_kept_slice_is_found_in_source_and_heap(22, Mode::Plain);
}

/// The reasons of a program that runs, by its process number: the toolchain is asked, twice the same is said.
#[test]
fn the_compilers_reasons_of_a_process() {
    for minor in [19, 22, 27] {
        let Some(toolchain) = toolchain(minor) else { continue };
        let running = started(&toolchain, Mode::Plain, "kept");
        let pid = running.0.id().to_string();
        let go = toolchain.go.to_str().unwrap().to_owned();
        let ask = |with: &str| {
            json(&lastgasp(
                &toolchain,
                &["escapes", ".", "--dir", "lab/programs/kept", "--go", &go, "--with", with, "--format", "json"],
            ))
        };
        let answer = ask(&pid);
        let site = &answer["sites"][0];
        assert_eq!((&site["function"], &site["own"]), (&"main.main".into(), &true.into()), "{answer:#}");
        let reason = &site["reasons"][0];
        assert_eq!(reason["by"], "compiler", "go1.{minor}: {answer:#}");
        assert!(reason["what"].as_str().unwrap().starts_with("make([]int, "), "{reason}");
        assert!(answer["coverage"]["share"].as_f64().unwrap() > 0.9, "{answer:#}");
        assert_eq!(ask(&pid)["sites"][0]["reasons"], site["reasons"], "replayed from the build cache");
    }
}
