//! What `cargo test -- --show-output` prints, counted: a test that said `SKIPPED` and passed has proved
//! nothing, and is counted as skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Counts of many test programs.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    passed: usize,
    failed: usize,
    /// Why, and which tests: `program: test`.
    skipped: BTreeMap<String, BTreeSet<String>>,
    /// Programs in the order of their runs, with their time.
    times: Vec<(String, Duration)>,
    now: Option<Program>,
}

/// The test program that speaks.
#[derive(Debug)]
struct Program {
    name: String,
    began: Instant,
    /// Whether it has said how it went: one that was killed has not.
    ended: bool,
    /// Of a test that passed: its output follows.
    speaking: Option<String>,
    in_successes: bool,
    skipped: BTreeSet<String>,
}

impl Outcome {
    /// Takes a line; gives whether it is for people to see. What tests that passed have said is not.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        if let Some(name) = program(line) {
            self.begin(name);
            return true;
        }
        let Some(now) = &mut self.now else { return true };
        if line == "successes:" {
            now.in_successes = true;
            now.speaking = None;
            return false;
        }
        if line == "failures:" {
            now.in_successes = false;
            now.speaking = None;
            return true;
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.result(counts);
            return true;
        }
        if let Some((name, why)) = ignored(line) {
            self.skip(&format!("ignored: {why}"), name);
            return true;
        }
        let Some(now) = &mut self.now else { return true };
        if !now.in_successes {
            return true;
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----")) {
            now.speaking = Some(name.to_owned());
        } else if let Some(why) = line.strip_prefix("SKIPPED: ")
            && let Some(name) = now.speaking.clone()
        {
            // Once a test, whatever else it could not do.
            if now.skipped.insert(name.clone()) {
                self.skip(why, &name);
            }
        }
        false
    }

    /// Something else than a test program went well or did not.
    pub(crate) fn check(&mut self, passed: bool) {
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
    }

    /// Something could not be tried.
    pub(crate) fn skip(&mut self, why: &str, what: &str) {
        let program = self.now.as_ref().map_or("", |p| p.name.as_str());
        let name = if program.is_empty() { what.to_owned() } else { format!("{program}: {what}") };
        self.skipped.entry(why.to_owned()).or_default().insert(name);
    }

    /// No more lines of test programs. `well` is what their runner's exit code says.
    pub(crate) fn end(&mut self, well: bool) {
        self.leave();
        if !well && self.failed == 0 {
            // It did not even build.
            self.failed += 1;
        }
    }

    /// Whether nothing failed and something passed.
    pub(crate) fn is_good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }

    /// What was skipped and why, the slowest programs, and the counts.
    pub(crate) fn summary(&self) -> String {
        let mut out = String::new();
        for (why, tests) in &self.skipped {
            out += &format!("SKIPPED {} for: {why}\n", tests.len());
            tests.iter().for_each(|t| out += &format!("    {t}\n"));
        }
        let mut times: Vec<_> = self.times.iter().filter(|(_, t)| t.as_secs() >= 2).collect();
        times.sort_by_key(|(_, t)| std::cmp::Reverse(*t));
        times.iter().for_each(|(name, t)| out += &format!("{:4} s  {name}\n", t.as_secs()));
        let skipped: usize = self.skipped.values().map(BTreeSet::len).sum();
        out + &format!("{} passed, {} failed, {skipped} skipped\n", self.passed, self.failed)
    }

    fn begin(&mut self, name: String) {
        self.leave();
        self.now = Some(Program {
            name,
            began: Instant::now(),
            ended: false,
            speaking: None,
            in_successes: false,
            skipped: BTreeSet::new(),
        });
    }

    fn leave(&mut self) {
        if let Some(last) = self.now.take() {
            // It died without a word: a failure of its own.
            self.failed += usize::from(!last.ended);
            self.times.push((last.name, last.began.elapsed()));
        }
    }

    fn result(&mut self, counts: &str) {
        let number = |what: &str| -> usize {
            let words: Vec<&str> = counts.split([' ', ';', '.']).collect();
            let at = words.windows(2).find(|w| w[1] == what);
            at.and_then(|w| w[0].parse().ok()).unwrap_or(0)
        };
        let skipped = self.now.as_ref().map_or(0, |p| p.skipped.len());
        self.passed += number("passed").saturating_sub(skipped);
        self.failed += number("failed");
        if let Some(now) = &mut self.now {
            now.ended = true;
            now.in_successes = false;
        }
    }
}

/// The program that cargo says it runs: `goruntime/tests/oracle.rs`, as far as its line tells.
fn program(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(krate) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{krate} documentation"));
    }
    let (source, binary) = line.strip_prefix("Running ")?.split_once(" (")?;
    let file = binary.strip_suffix(')')?.rsplit('/').next()?;
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    Some(if source.starts_with("unittests") { format!("{name} units") } else { source.to_owned() })
}

/// `test NAME ... ignored, WHY`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let why = result.strip_prefix("ignored")?;
    Some((name, why.strip_prefix(", ").unwrap_or("no reason given")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "\
   Compiling xtask v0.1.0 (x)
     Running unittests src/lib.rs (target/debug/deps/lastgasp_recorder-0af1)

running 4 tests
test pin::tests::a ... ok
test stop::tests::b ... ok
test stop::tests::c ... ok
test stop::tests::d ... ignored, takes an hour

successes:

---- pin::tests::a stdout ----
SKIPPED: no userfaultfd
SKIPPED: and no freezer

---- stop::tests::b stdout ----
seen: test result: FAILED. 9 passed; 9 failed


successes:
    pin::tests::a
    stop::tests::b
    stop::tests::c

test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/ps.rs (target/debug/deps/ps-77)

running 2 tests
test one ... ok
test two ... FAILED

successes:

---- one stdout ----
SKIPPED: no userfaultfd

successes:
    one

failures:

---- two stdout ----
SKIPPED: a part

failures:
    two

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn read(text: &str) -> (Outcome, Vec<&str>) {
        let mut outcome = Outcome::default();
        let shown = text.lines().filter(|l| outcome.line(l)).collect();
        (outcome, shown)
    }

    #[test]
    fn skipped_is_not_passed() {
        let (mut outcome, shown) = read(RUN);
        outcome.end(false);
        let summary = outcome.summary();
        assert!(summary.ends_with("\n2 passed, 1 failed, 3 skipped\n"), "{summary}");
        assert!(
            summary.contains(
                "SKIPPED 2 for: no userfaultfd\n    lastgasp_recorder units: pin::tests::a\n    tests/ps.rs: one\n"
            ),
            "{summary}"
        );
        assert!(summary.contains("SKIPPED 1 for: ignored: takes an hour\n"), "{summary}");
        assert!(!outcome.is_good());
        // What a failure said is shown, what a success said is not.
        assert!(shown.contains(&"SKIPPED: a part") && !shown.iter().any(|l| l.contains("9 passed")), "{shown:#?}");
    }

    #[test]
    fn a_program_that_dies_without_a_word_has_failed() {
        let (mut outcome, _) = read("     Running tests/a.rs (target/debug/deps/a-1)\ntest x ... ok\n");
        outcome.end(false);
        assert!(outcome.summary().ends_with("0 passed, 1 failed, 0 skipped\n"));
        let (mut outcome, _) = read("error[E0425]: cannot find value\n");
        outcome.end(false);
        assert!(outcome.summary().ends_with("0 passed, 1 failed, 0 skipped\n"));
    }

    #[test]
    fn all_skipped_is_not_good() {
        let (mut outcome, _) = read(
            "     Running tests/a.rs (target/debug/deps/a-1)\nsuccesses:\n\n---- x stdout ----\nSKIPPED: no root\n\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );
        outcome.end(true);
        assert!(outcome.summary().ends_with("0 passed, 0 failed, 1 skipped\n"));
        assert!(!outcome.is_good());
    }
}
