//! Types of a small module, by real toolchains: what calls resolve to, what an interface's may be, and what
//! becomes of findings. Skipped aloud where there is no Go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::indexing_slicing)]

use std::path::Path;

use lastgasp_gosource::escapes::Ask;
use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::typed::{TypeFacts, Verdict, confirm, judge, types_of};
use lastgasp_gosource::{Finding, check};
use lastgasp_lab::build::cache_dir;
use lastgasp_lab::toolchain::find_or_fetch;

const SOURCE: &str = r#"package main

import (
	"net/http"
	"sync"
)

type Diary struct{ pages []string }

func (d *Diary) Lock()   {}
func (d *Diary) Unlock() {}

type locker interface{ Lock() }

type both struct{ sync.Mutex }

func three(d *Diary, m *sync.Mutex, b *both, l locker) {
	d.Lock()
	m.Lock()
	b.Lock()
	l.Lock()
}

func fetch(get func(string) (*http.Response, error)) {
	_, _ = get("x")
	for range make(chan int) {
	}
	c := make(chan *Diary, 1)
	c <- &Diary{}
}

func each[T any](all []T, f func(T)) {
	for _, x := range all {
		f(x)
	}
}

func main() {
	each([]int{1}, func(int) {})
	three(&Diary{}, &sync.Mutex{}, &both{}, &Diary{})
	fetch(http.Get)
}
"#;

/// The facts of the module, by a toolchain; `None` where there is none.
fn facts(minor: u16, more: &[(&str, &str)]) -> Option<(tempfile::TempDir, TypeFacts, Vec<String>)> {
    let toolchain = find_or_fetch(minor, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")).ok()?;
    let module = tempfile::tempdir().unwrap();
    std::fs::write(module.path().join("go.mod"), "module example.com/m\n\ngo 1.19\n").unwrap();
    std::fs::write(module.path().join("main.go"), SOURCE).unwrap();
    for (name, text) in more {
        std::fs::create_dir_all(module.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(module.path().join(name), text).unwrap();
    }
    // A toolchain is chosen by the environment of whoever asks: a script does it for this test alone.
    let go = module.path().join("go.sh");
    let script = format!(
        "#!/bin/sh\nexport GOTOOLCHAIN=\"${{GOTOOLCHAIN:-{}}}\" GOFLAGS=-mod=mod GOWORK=off\nexec {} \"$@\"\n",
        toolchain.gotoolchain,
        toolchain.go.display()
    );
    std::fs::write(&go, script).unwrap();
    std::fs::set_permissions(&go, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let whom = Ask { go, dir: module.path().to_owned(), patterns: vec!["./...".into()], flags: Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let answer = types_of(&whom, folder.path());
    assert!(answer.version.starts_with(&format!("go1.{minor}")), "{answer:?}");
    Some((module, answer.facts, answer.gaps))
}

fn at(module: &Path, facts: &TypeFacts, line: u32, kind: &str) -> Vec<String> {
    let file = module.canonicalize().unwrap().join("main.go");
    facts.at(file.to_str().unwrap(), line).filter(|f| f.kind == kind).map(|f| f.what.clone()).collect()
}

fn calls_resolve(minor: u16) {
    let Some((module, facts, gaps)) = facts(minor, &[]) else { return };
    assert_eq!(gaps, Vec::<String>::new());
    let calls = |line| at(module.path(), &facts, line, "call");
    assert_eq!(calls(18), ["(*example.com/m.Diary).Lock"]);
    assert_eq!(calls(19), ["(*sync.Mutex).Lock"]);
    assert_eq!(calls(20), ["(*sync.Mutex).Lock"], "of what is embedded");
    let file = module.path().canonicalize().unwrap().join("main.go");
    let file = file.to_str().unwrap();
    let dynamic = facts.at(file, 21).find(|f| f.kind == "call").unwrap();
    assert!(dynamic.dynamic && dynamic.function == "main.three", "{dynamic:?}");
    // By class hierarchy: everything that has the method, of this package and of what it imports.
    for target in ["(*example.com/m.Diary).Lock", "(*sync.Mutex).Lock"] {
        assert!(dynamic.targets.iter().any(|t| t == target), "{dynamic:?}");
    }
    assert_eq!(at(module.path(), &facts, 26, "range"), ["chan"]);
    assert!(facts.at(file, 29).any(|f| f.kind == "send" && f.pointer));
    let judged = |code, line| judge(code, &facts, file, line, line);
    assert_eq!(judged("lock-not-released", 18), Verdict::Differs);
    assert_eq!(judged("lock-not-released", 20), Verdict::Agrees);
    assert_eq!(judged("body-not-closed", 25), Verdict::Agrees, "a function value with that result");
    assert_eq!(judged("range-never-closed", 26), Verdict::Agrees);
    assert_eq!(facts.calls_of("main.main").len(), 3);
}

#[test]
fn calls_resolve_in_go_1_19() {
    calls_resolve(19);
}

#[test]
fn calls_resolve_in_go_1_22() {
    calls_resolve(22);
}

#[test]
fn calls_resolve_in_go_1_27() {
    calls_resolve(27);
}

#[test]
fn a_package_with_errors_is_said_and_the_others_are_typed() {
    let broken = [("broken/x.go", "package broken\n\nfunc f() { undefined.Lock() }\n")];
    let Some((module, facts, gaps)) = facts(26, &broken) else { return };
    assert!(gaps.iter().any(|g| g.contains("1 of 2 packages") && g.contains("undefined")), "{gaps:?}");
    assert_eq!(at(module.path(), &facts, 19, "call"), ["(*sync.Mutex).Lock"]);
}

/// What the corpus marks is so: types must not speak against any of it.
#[test]
fn types_take_nothing_away_that_is_marked() {
    let Ok(toolchain) = find_or_fetch(26, &cache_dir()).map_err(|e| eprintln!("SKIPPED: {e:#}")) else { return };
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/source").canonicalize().unwrap();
    let project = load(&lab, &["corpus".into()], &Options::default()).unwrap();
    let mut findings = check(&project, 1 << 20).findings;
    let marked = |f: &Finding| {
        let text = std::fs::read_to_string(lab.join(&f.place.file)).unwrap();
        let line = text.lines().nth(f.place.line as usize - 1).unwrap_or_default();
        line.split_once("// want ").is_some_and(|(_, codes)| codes.split_whitespace().any(|c| c == f.code))
    };
    findings.retain(marked);
    let all = findings.len();
    let whom = Ask { go: toolchain.go, dir: lab.clone(), patterns: vec!["./corpus/...".into()], flags: Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let answer = types_of(&whom, folder.path());
    assert_eq!(answer.gaps, Vec::<String>::new());
    let before: Vec<_> = findings.iter().map(|f| (f.code.clone(), f.place.file.clone(), f.place.line)).collect();
    let judged = confirm(&mut findings, &answer.facts, &lab);
    let left: Vec<_> = findings.iter().map(|f| (f.code.clone(), f.place.file.clone(), f.place.line)).collect();
    let gone: Vec<_> = before.into_iter().filter(|f| !left.contains(f)).collect();
    assert_eq!(gone, Vec::new(), "{judged:?}");
    assert!(all > 200 && judged.typed > 100, "{all} {judged:?}");
}
