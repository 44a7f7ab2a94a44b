//! What changed, of a repository that is made here: with the machine's own `git`, or skipped aloud.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use lastgasp_diagnosis::facts::{Frame, Vcs};
use lastgasp_gosource::changed::{Between, NotKnown, Repository, changed_lines};

const GOOD: &str = "package main\n\nfunc handler() {\n\tm := cached()\n\tuse(m)\n}\n\nfunc cached() map[int]bool {\n\treturn shared\n}\n\nfunc use(m map[int]bool) {\n\tprintln(len(m))\n}\n";
const BAD: &str = "package main\n\nfunc handler() {\n\tm := cached()\n\tuse(m)\n}\n\nfunc cached() map[int]bool {\n\tm := map[int]bool{}\n\tfor k := range shared {\n\t\tm[k] = true\n\t}\n\treturn m\n}\n\nfunc use(m map[int]bool) {\n\tprintln(len(m))\n}\n";

fn git(dir: &Path, date: &str, arguments: &[&str]) -> Option<String> {
    let out = Command::new("git")
        .args(["-c", "user.name=someone", "-c", "user.email=someone@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(dir)
        .env("GIT_AUTHOR_DATE", date)
        .env("GIT_COMMITTER_DATE", date)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

fn commit(dir: &Path, date: &str, text: &str) -> String {
    std::fs::create_dir_all(dir.join("svc")).unwrap();
    std::fs::write(dir.join("svc/main.go"), text).unwrap();
    git(dir, date, &["add", "."]).unwrap();
    git(dir, date, &["commit", "-q", "-m", "a change"]).unwrap();
    git(dir, date, &["rev-parse", "HEAD"]).unwrap()
}

#[test]
fn lines_of_what_a_verdict_calls_are_told_with_their_commit() {
    let dir = tempfile::tempdir().unwrap();
    if git(dir.path(), "", &["init", "-q"]).is_none() {
        eprintln!("SKIPPED: no git on this machine");
        return;
    }
    let good = commit(dir.path(), "2026-04-01T12:00:00Z", GOOD);
    let died = commit(dir.path(), "2026-04-03T12:00:00Z", BAD);
    let repository = Repository::of(&dir.path().join("svc")).unwrap();
    let frame = |function: &str, line| Frame { function: function.into(), file: "/build/svc/main.go".into(), line };
    let between = Between {
        died: Some(Vcs { revision: died.clone(), modified: "false".into(), ..Vcs::default() }),
        died_unix: 1_775_476_800, // 2026-04-06T12:00:00Z
        good: Some(good.clone()),
        frames: vec![frame("main.handler", 4)],
    };
    let changes = changed_lines(&repository, &between).unwrap();
    assert_eq!((changes.good.as_str(), changes.files), (good.as_str(), 1));
    let [lines] = &changes.lines[..] else { panic!("{changes:?}") };
    assert_eq!((lines.function.as_str(), lines.called_by.as_deref()), ("cached", Some("handler")));
    assert_eq!((lines.file.as_str(), lines.first, lines.last), ("svc/main.go", 9, 13));
    assert_eq!(lines.words(between.died_unix), format!("changed in {}, 3 days before", &died[..7]));
    // Of the function itself, and nothing of one that did not change.
    let of =
        |function: &str| changed_lines(&repository, &Between { frames: vec![frame(function, 9)], ..between.clone() });
    assert_eq!(of("main.cached").unwrap().lines[0].called_by, None);
    assert!(of("main.use").unwrap().lines.is_empty());
}

#[test]
fn what_is_not_known_is_said() {
    let dir = tempfile::tempdir().unwrap();
    if git(dir.path(), "", &["init", "-q"]).is_none() {
        eprintln!("SKIPPED: no git on this machine");
        return;
    }
    let good = commit(dir.path(), "2026-04-01T12:00:00Z", GOOD);
    let repository = Repository::of(dir.path()).unwrap();
    let of = |revision: &str, good: Option<&str>| {
        let died = Some(Vcs { revision: revision.into(), ..Vcs::default() });
        changed_lines(&repository, &Between { died, good: good.map(str::to_owned), ..Between::default() })
    };
    assert_eq!(changed_lines(&repository, &Between::default()), Err(NotKnown::NoRevision));
    assert_eq!(of(&good, None), Err(NotKnown::NothingGood));
    let gone = "0123456789012345678901234567890123456789";
    assert_eq!(of(gone, Some(&good)), Err(NotKnown::NoSuchRevision(gone.into())));
    assert_eq!(of(&good, Some("--output=x")), Err(NotKnown::NoSuchRevision("--output=x".into())));
    assert!(of(&good, Some(&good)).unwrap().lines.is_empty());
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(matches!(Repository::of(elsewhere.path()), Err(NotKnown::NoRepository(_))));
}
