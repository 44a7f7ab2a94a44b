//! The truth of each way, and the words of causes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use lastgasp_lab::build::repo_root;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// `expect.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Shares that are aimed at, of all ways.
    pub aims: Aims,
    /// What the tests in CI hold.
    pub ci: Ci,
    /// By name.
    #[serde(rename = "way")]
    pub ways: BTreeMap<String, Way>,
}

/// Shares, 0 to 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aims {
    /// Of the plays that have a site.
    pub site: f64,
    /// Of the plays of which the cause can be known.
    pub cause: f64,
}

/// What the tests in CI hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ci {
    /// Least share of right sites.
    pub site: f64,
    /// Least share of right causes.
    pub cause: f64,
    /// Plays that are sure and wrong and known to be, as `WAY/profiled` or `WAY/unprofiled`.
    pub known_wrong: Vec<String>,
}

/// Which of its two plays a way has in CI.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum InCi {
    /// Neither.
    #[default]
    No,
    /// With a memory profile.
    Profiled,
    /// Without.
    Unprofiled,
    /// Both.
    Both,
}

/// What an unprofiled binary cannot tell before the heap's references are walked.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Unknowable {
    /// The place.
    Site,
    /// The cause.
    Cause,
}

/// One way to die.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Of the group, MiB.
    pub limit: u64,
    /// Of the process.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Functions that are right as the place; empty where none of the program is the matter.
    pub site: Vec<String>,
    /// Words of `causes.toml` that are right, the truth first.
    pub cause: Vec<String>,
    /// Types of what is kept, as `%T` spells them: one of them is to be named where no profile is. Of ways
    /// that have none of these three nothing is asked.
    #[serde(default, rename = "type")]
    pub types: Vec<String>,
    /// The ways by which it is kept, or the variable at their beginning.
    #[serde(default)]
    pub owner: Vec<String>,
    /// Functions whose goroutines hold it.
    #[serde(default)]
    pub holder: Vec<String>,
    /// What it is easily taken for.
    pub rivals: Vec<String>,
    /// What cannot be known without a memory profile: not counted.
    #[serde(default)]
    pub unknowable: Vec<Unknowable>,
    /// Whether it needs a C compiler.
    #[serde(default)]
    pub cgo: bool,
    /// A script in its folder that starts the program, which is its argument.
    #[serde(default)]
    pub start: Option<String>,
    /// Its part in CI.
    #[serde(default)]
    pub ci: InCi,
}

/// A cause and how it is recognised.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The stable word.
    pub word: String,
    /// Says less than the others: counts only where none of them is claimed.
    pub general: bool,
    says: Vec<Regex>,
}

/// `causes.toml`.
#[derive(Clone, Debug)]
pub struct Causes {
    all: Vec<Cause>,
    silent: Vec<Regex>,
}

/// `causes.toml`, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    silent: Vec<String>,
    cause: BTreeMap<String, WrittenCause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCause {
    /// For people.
    #[serde(rename = "means")]
    _means: String,
    #[serde(default)]
    general: bool,
    says: Vec<String>,
}

impl Expect {
    /// Reads it.
    ///
    /// # Errors
    /// A missing or malformed file, or a way without a program.
    pub fn load() -> Result<Self> {
        let file = home().join("expect.toml");
        let expect: Self = toml::from_str(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())?;
        for name in expect.ways.keys() {
            let program = program(name);
            ensure!(program.join("main.go").exists(), "{}: no program", program.display());
        }
        Ok(expect)
    }
}

impl Causes {
    /// Reads them.
    ///
    /// # Errors
    /// A missing or malformed file.
    pub fn load() -> Result<Self> {
        let file = home().join("causes.toml");
        Self::parse(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let written: Written = toml::from_str(text)?;
        let regexes = |patterns: &[String]| -> Result<Vec<Regex>> {
            patterns.iter().map(|p| Ok(RegexBuilder::new(p).case_insensitive(true).build()?)).collect()
        };
        let mut all = Vec::new();
        for (word, c) in written.cause {
            let says = regexes(&c.says).with_context(|| word.clone())?;
            all.push(Cause { word, general: c.general, says });
        }
        Ok(Self { all, silent: regexes(&written.silent)? })
    }

    /// Whether there is a cause of that word.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.all.iter().any(|c| c.word == word)
    }

    /// Causes that are claimed: those of the first of these texts in which one is; the general ones only if
    /// no text claims another.
    #[must_use]
    pub fn claimed(&self, texts: &[String]) -> Vec<&str> {
        let said = |text: &String, general: bool| -> Vec<&str> {
            let causes = self.all.iter().filter(|c| c.general == general);
            causes.filter(|c| c.says.iter().any(|r| r.is_match(text))).map(|c| c.word.as_str()).collect()
        };
        let first = |general| texts.iter().map(|t| said(t, general)).find(|c| !c.is_empty());
        first(false).or_else(|| first(true)).unwrap_or_default()
    }

    /// Whether a text says that the cause is not known.
    #[must_use]
    pub fn is_silent(&self, text: &str) -> bool {
        self.silent.iter().any(|r| r.is_match(text))
    }
}

/// This crate's folder in the repository.
#[must_use]
pub fn home() -> PathBuf {
    repo_root().join("lab/deaths")
}

/// Folder of a way's program.
#[must_use]
pub fn program(way: &str) -> PathBuf {
    home().join("ways").join(way)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_program_has_a_truth_of_known_words() {
        let (expect, causes) = (Expect::load().unwrap(), Causes::load().unwrap());
        assert!(expect.ways.len() >= 24, "{}", expect.ways.len());
        for (name, way) in &expect.ways {
            for word in way.cause.iter().chain(&way.rivals) {
                assert!(causes.has(word), "{name}: {word} is no word of causes.toml");
            }
            assert!(!way.cause.is_empty() && !way.rivals.is_empty(), "{name}");
            assert!(!way.rivals.iter().any(|r| way.cause.contains(r)), "{name}: a rival that is right");
            if let Some(script) = &way.start {
                assert!(program(name).join(script).exists(), "{name}: {script}");
            }
        }
        let folders: BTreeSet<String> = fs::read_dir(home().join("ways"))
            .unwrap()
            .flatten()
            .filter(|e| e.path().join("main.go").exists())
            .map(|e| e.file_name().into_string().unwrap())
            .collect();
        assert_eq!(folders, expect.ways.keys().cloned().collect());
        for known in &expect.ci.known_wrong {
            let (way, variant) = known.split_once('/').unwrap();
            assert!(expect.ways.contains_key(way) && ["profiled", "unprofiled"].contains(&variant), "{known}");
        }
    }

    #[test]
    fn every_function_of_a_truth_is_in_its_program() {
        for (name, way) in Expect::load().unwrap().ways {
            let mut sources = String::new();
            let mut folders = vec![program(&name)];
            while let Some(folder) = folders.pop() {
                for path in fs::read_dir(folder).unwrap().flatten().map(|e| e.path()) {
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|e| e == "go") {
                        sources += &fs::read_to_string(path).unwrap();
                    }
                }
            }
            for site in way.site.iter().filter(|s| !s.starts_with("net/http.")) {
                let function = site.split(".func").next().unwrap().rsplit('.').next().unwrap();
                assert!(
                    [format!(" {function}("), format!(" {function}[")].iter().any(|f| sources.contains(f)),
                    "{name}: {site} is not in its program"
                );
            }
        }
    }

    /// CI's part has every cause that is the truth of a way, or a near one of its family.
    #[test]
    fn ci_has_a_third_of_the_plays() {
        let expect = Expect::load().unwrap();
        let plays: usize = expect
            .ways
            .values()
            .map(|w| match w.ci {
                InCi::No => 0,
                InCi::Both => 2,
                InCi::Profiled | InCi::Unprofiled => 1,
            })
            .sum();
        let all = expect.ways.len() * 2;
        assert!((all / 3..=all / 3 + 4).contains(&plays), "{plays} of {all}");
        let truths = |ci: bool| -> BTreeSet<&str> {
            expect.ways.values().filter(|w| !ci || w.ci != InCi::No).map(|w| w.cause[0].as_str()).collect()
        };
        let left_out: Vec<&str> = truths(false).difference(&truths(true)).copied().collect();
        assert_eq!(left_out, ["condition", "once"]);
    }

    #[test]
    fn general_words_give_way_to_others() {
        let causes = Causes::load().unwrap();
        let claimed = |texts: &[&str]| -> Vec<String> {
            let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
            causes.claimed(&texts).into_iter().map(str::to_owned).collect()
        };
        assert_eq!(claimed(&["calls wait for a channel that nobody reads"]), ["chan-send"]);
        assert_eq!(claimed(&["calls wait for a channel", "recursion"]), ["deep-stacks"]);
        assert_eq!(claimed(&["calls wait for a channel", "x"]), ["calls-wait", "channel"]);
        assert_eq!(claimed(&["x", "one huge object", "a recursion"]), ["huge-object"]);
        assert!(claimed(&["one function allocates faster than memory lasts"]).is_empty());
        assert!(causes.is_silent("one function allocates faster than memory lasts"));
    }

    /// The wordings of the product, each recognised as the one cause that it means.
    #[test]
    fn titles_are_recognised() {
        let causes = Causes::load().unwrap();
        for (title, word) in [
            ("calls wait for a lock that nobody gives back", "lock-held"),
            ("calls wait for one mutex, and hold what grew", "lock-held"),
            ("calls wait for a read-write lock, and hold what grew", "lock-held"),
            ("calls wait for I/O without a deadline", "io-no-deadline"),
            ("calls wait for a WaitGroup, and hold what grew", "waitgroup"),
            ("calls wait for a condition variable, and hold what grew", "condition"),
            ("calls wait for somebody to receive from one channel, and hold what grew", "chan-send"),
            ("calls wait for somebody to send to their channel, and hold what grew", "chan-receive"),
            ("calls wait for one of several channels (select), and hold what grew", "select"),
            ("calls wait for time to pass, and hold what grew", "sleeping"),
            ("goroutines pile up, and are at work", "goroutine-leak"),
            ("what one function allocates stays alive", "leak-collection"),
            ("what one holder keeps stays alive", "leak-collection"),
            ("what grew in the Go heap stays alive, and the program keeps no memory profile", "leak-collection"),
            ("one buffer that grows by copying: old and new are there at once", "append-growth"),
            ("deep stacks: a recursion is the growth", "deep-stacks"),
            ("the collector is off, and garbage fills the memory", "collector-off"),
            ("not this process: its children fill the group", "children"),
            ("every call builds its own copy of something large", "copies-per-call"),
            ("the collector is off and garbage fills the memory", "collector-off"),
            ("the collector's goal lies beyond the limit", "headroom"),
            ("one huge object", "huge-object"),
            ("a few huge objects", "huge-object"),
            ("deep stacks", "deep-stacks"),
            ("goroutines pile up", "goroutine-leak"),
            ("not this process: others fill the group", "neighbours"),
            ("the growth is outside the Go heap", "outside-heap"),
            ("memory leaks from one place", "leak-collection"),
        ] {
            assert_eq!(causes.claimed(&[title.to_owned()]), [word], "{title}");
        }
    }
}
