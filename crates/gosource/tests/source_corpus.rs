//! The labelled corpus of `lab/source`: what each rule finds of what it must, and whether it is silent
//! elsewhere. Needs nothing. `cargo test -p lastgasp-gosource --test source_corpus -- --nocapture` prints the
//! table; a wrong or missing finding is named by its line.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lastgasp_gosource::project::{Options, load};
use lastgasp_gosource::{Level, catalogue, check, is_quiet};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/source")
}

/// File, line, code.
type Spots = BTreeSet<(String, u32, String)>;

/// `// want CODE CODE` at the end of a line.
fn wanted() -> Spots {
    let mut out = Spots::new();
    for code in std::fs::read_dir(corpus().join("corpus")).unwrap() {
        for kind in ["sick", "healthy"] {
            let code = code.as_ref().unwrap().file_name().into_string().unwrap();
            let name = format!("corpus/{code}/{kind}/{kind}.go");
            let text = std::fs::read_to_string(corpus().join(&name)).unwrap();
            for (n, line) in text.lines().enumerate() {
                if let Some((_, codes)) = line.split_once("// want ") {
                    let line = u32::try_from(n + 1).unwrap();
                    out.extend(codes.split_whitespace().map(|c| (name.clone(), line, c.to_owned())));
                }
            }
        }
    }
    out
}

/// Marks in the packages of `services`, written as services are.
#[derive(Default)]
struct Marks {
    /// What must be found: `// want`, `// warn`, `// hint`, and `// false` (found, and nothing is wrong
    /// there).
    found: Spots,
    /// What is not found though it is wrong: `// miss`.
    missed: Spots,
    /// Of what must be found, what must be a warning or over: `// warn`.
    warnings: Spots,
    /// And what must be a hint: `// hint`.
    hints: Spots,
}

fn in_services() -> Marks {
    let mut out = Marks::default();
    for package in std::fs::read_dir(corpus().join("services")).unwrap().map(|e| e.unwrap().path()) {
        for file in std::fs::read_dir(&package).into_iter().flatten().map(|e| e.unwrap().path()) {
            let name = file.strip_prefix(corpus()).unwrap().to_str().unwrap().to_owned();
            for (n, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
                for mark in ["// want ", "// false ", "// miss ", "// warn ", "// hint "] {
                    let codes = line.split_once(mark).map_or("", |(_, codes)| codes);
                    let codes = codes.split_whitespace().take_while(|c| *c != "//");
                    for code in codes {
                        let spot = (name.clone(), u32::try_from(n + 1).unwrap(), code.to_owned());
                        match mark {
                            "// miss " => out.missed.insert(spot.clone()),
                            "// warn " => out.warnings.insert(spot.clone()),
                            "// hint " => out.hints.insert(spot.clone()),
                            _ => false,
                        };
                        if mark != "// miss " {
                            out.found.insert(spot);
                        }
                    }
                }
            }
        }
    }
    out
}

#[test]
fn what_is_said_of_services_is_what_their_marks_say() {
    let project = load(&corpus(), &["services".into()], &Options::default()).unwrap();
    let checked = check(&project, 1 << 20);
    assert!(checked.gaps.is_empty(), "{:?}", checked.gaps);
    let (mut got, mut hints) = (Spots::new(), Spots::new());
    for f in checked.findings.into_iter().filter(|f| !is_quiet(&f.code)) {
        let spot = (f.place.file, f.place.line, f.code);
        if f.level == Level::Hint {
            hints.insert(spot.clone());
        }
        got.insert(spot);
    }
    let marks = in_services();
    let (found, missed) = (marks.found, marks.missed);
    assert!(marks.warnings.len() > 20 && marks.hints.len() > 20);
    assert_eq!(marks.warnings.intersection(&hints).collect::<Vec<_>>(), Vec::<&(String, u32, String)>::new());
    assert_eq!(marks.hints.difference(&hints).collect::<Vec<_>>(), Vec::<&(String, u32, String)>::new());
    assert!(found.len() > 70, "{}", found.len());
    assert_eq!(got.difference(&found).collect::<Vec<_>>(), Vec::<&(String, u32, String)>::new());
    assert_eq!(found.difference(&got).collect::<Vec<_>>(), Vec::<&(String, u32, String)>::new());
    assert_eq!(missed.intersection(&got).collect::<Vec<_>>(), Vec::<&(String, u32, String)>::new());
}

#[test]
fn every_rule_finds_its_own_and_is_silent_elsewhere() {
    let project = load(&corpus(), &["corpus".into()], &Options::default()).unwrap();
    let checked = check(&project, 1 << 20);
    assert!(checked.gaps.is_empty(), "{:?}", checked.gaps);
    // Hints about escapes are everywhere: they are counted where they are what the snippet is about.
    let counts = |file: &str, code: &str| !is_quiet(code) || file.starts_with(&format!("corpus/{code}/"));
    let found = checked.findings.iter().map(|f| (f.place.file.clone(), f.place.line, f.code.clone()));
    let found: Spots = found.filter(|(file, _, code)| counts(file, code)).collect();
    let wanted: Spots = wanted().into_iter().filter(|(file, _, code)| counts(file, code)).collect();
    let mut wrong = Vec::new();
    println!("{:<28}{:>6}{:>7}{:>8}{:>11}{:>8}", "rule", "found", "missed", "false", "precision", "recall");
    let mut sums = BTreeMap::from([("found", 0), ("missed", 0), ("false", 0)]);
    for info in catalogue() {
        let of = |spots: &Spots| spots.iter().filter(|(_, _, c)| c == info.code).cloned().collect::<Spots>();
        let (want, got) = (of(&wanted), of(&found));
        let hit = want.intersection(&got).count();
        let missed: Vec<_> = want.difference(&got).collect();
        let extra: Vec<_> = got.difference(&want).collect();
        let share =
            |a: usize, b: usize| if b == 0 { "-".to_owned() } else { format!("{:.0} %", 100.0 * a as f64 / b as f64) };
        println!(
            "{:<28}{hit:>6}{:>7}{:>8}{:>11}{:>8}",
            info.code,
            missed.len(),
            extra.len(),
            share(hit, got.len()),
            share(hit, want.len())
        );
        *sums.get_mut("found").unwrap() += hit;
        *sums.get_mut("missed").unwrap() += missed.len();
        *sums.get_mut("false").unwrap() += extra.len();
        wrong.extend(missed.into_iter().map(|(f, l, c)| format!("missed {c}: {f}:{l}")));
        wrong.extend(extra.into_iter().map(|(f, l, c)| format!("false  {c}: {f}:{l}")));
        // At least five of each kind: a rule that is hardly tried is not known to work.
        let own = |kind: &str| {
            std::fs::read_to_string(corpus().join(format!("corpus/{}/{kind}/{kind}.go", info.code))).unwrap()
        };
        assert!(want.len() >= 5, "{}: {} true snippets", info.code, want.len());
        assert!(own("healthy").matches("\nfunc ").count() >= 5, "{}: healthy snippets", info.code);
    }
    println!("{sums:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The incident, and the same service with the set built once: the first is named, of the second nothing is
/// said.
#[test]
fn the_incident_is_named_and_its_repair_is_silent() {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lab/programs/incident");
    let rebuilt = |folder: &Path| {
        let project = load(folder, &[], &Options::default()).unwrap();
        let findings = check(&project, 1 << 20).findings;
        findings.into_iter().filter(|f| f.code == "rebuilt-per-request").collect::<Vec<_>>()
    };
    let found = rebuilt(&lab);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].function, "main.buildAvidMap");
    assert!(found[0].place.file.ends_with("resource-service/server.go"));
    assert!(found[0].sentence.contains("`buildAvidMap` is rebuilt per request"), "{}", found[0].sentence);
    assert!(found[0].sentence.contains("(*Server).ugcTab") && found[0].sentence.contains("s.store.current()"));

    let repaired = tempfile::tempdir().unwrap();
    for name in ["server.go", "config.go", "catalogue.go", "main.go", "truth.go"] {
        let text = std::fs::read_to_string(lab.join("resource-service").join(name)).unwrap();
        let text = match (name, text.split_once("\tif avidMap == nil {\n")) {
            ("server.go", Some((before, rest))) => format!("{before}{}", rest.split_once("\n\t}\n").unwrap().1),
            (name, _) => {
                assert_ne!(name, "server.go", "the lab's service has another form");
                text
            }
        };
        std::fs::write(repaired.path().join(name), text).unwrap();
    }
    assert!(rebuilt(repaired.path()).is_empty());
}
