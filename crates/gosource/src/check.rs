//! The whole of a check: packages are read, parsed and looked at one by one, on all processors; of each only
//! what was found stays.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::callers::{self, Ask, Census};
use crate::finding::{Certainty, Finding, Level, Related};
use crate::fingerprint::fnv;
use crate::meaning::case::Case;
use crate::meaning::who_runs::{
    helps_tests, is_a_change, is_a_fake, is_command, is_command_line, is_for_tests, is_named_as_command,
    is_test_package, runs_through, talks,
};
use crate::project::{FileKind, Gap, GapKind, Package as Files, Project, Read, read_source, stands_in, supports_tests};
use crate::rules::{ALL, Entry, Out, Report};
use crate::suppress::Suppressed;
use crate::syntax::calls::Calls;
use crate::syntax::{Function, GoParser, NotParsed, Package, ParsedFile};

/// Stack of a worker: syntax is walked by recursion, as deep as it is nested at most.
const STACK: usize = 64 << 20;
/// Findings of one rule in one package; a table of thousands alike says no more.
const MAX_FINDINGS: usize = 2000;

/// What a check gave.
#[derive(Debug, Default)]
pub struct Checked {
    /// Findings by file, line and code.
    pub findings: Vec<Finding>,
    /// What was not read, or not wholly.
    pub gaps: Vec<Gap>,
    /// Packages that were looked at.
    pub packages: usize,
    /// Files likewise.
    pub files: usize,
    /// Lines of them.
    pub lines: usize,
    /// Files that were generated: read for what they declare, and not judged.
    pub generated: usize,
    /// Findings that a comment silences.
    pub suppressed: usize,
}

/// Checks a project. The hints that only evidence makes findings are among what is given
/// ([`is_quiet`](crate::is_quiet)).
#[must_use]
pub fn check(project: &Project, max_bytes: u64) -> Checked {
    let mut parts = each_package(project, max_bytes);
    let census = parts.iter_mut().map(|p| std::mem::take(&mut p.census)).collect();
    callers::lower(parts.iter_mut().flat_map(Part::asks), census);
    let mut all = Checked { gaps: project.gaps.clone(), packages: project.packages.len(), ..Checked::default() };
    for part in parts.into_iter().map(|p| p.checked) {
        all.findings.extend(part.findings);
        all.gaps.extend(part.gaps);
        all.files += part.files;
        all.lines += part.lines;
        all.generated += part.generated;
        all.suppressed += part.suppressed;
    }
    sort(&mut all.findings);
    all.gaps.sort();
    all.gaps.dedup();
    all
}

/// Checks one text as a package of its own: for tests, and for what is typed and not saved.
#[must_use]
pub fn check_text(name: &str, text: &str, go_minor: Option<u32>) -> Checked {
    let mut out = Part::default();
    let Ok(mut parser) = GoParser::new() else { return out.checked };
    let Some(file) = parsed(&mut parser, name, FileKind::Written, text, &mut out.checked.gaps) else {
        return out.checked;
    };
    let files = [file];
    let package = files[0].ast.package;
    let pkg = Package::new(package, package, go_minor, &files);
    let calls = Calls::new(&pkg);
    let mut gaps = Vec::new();
    let case = Case::new(&pkg, &calls);
    run(&case, &mut gaps, &mut out);
    out.census = Census::of(&case, &[package].into_iter().collect());
    let census = vec![std::mem::take(&mut out.census)];
    callers::lower(out.asks(), census);
    out.checked.gaps.append(&mut gaps);
    sort(&mut out.checked.findings);
    out.checked
}

/// What one package gave.
#[derive(Default)]
struct Part {
    checked: Checked,
    /// What it tells others of calls.
    census: Census,
    /// Findings, by number, with what they ask of other packages.
    asks: Vec<(usize, Ask)>,
}

impl Part {
    /// Findings that ask something.
    fn asks(&mut self) -> impl Iterator<Item = (&mut Finding, Vec<Ask>)> {
        let mut asks: BTreeMap<usize, Vec<Ask>> = BTreeMap::new();
        for (n, ask) in std::mem::take(&mut self.asks) {
            asks.entry(n).or_default().push(ask);
        }
        let findings = self.checked.findings.iter_mut().enumerate();
        findings.filter_map(move |(n, finding)| Some((finding, asks.remove(&n)?)))
    }
}

fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| (&a.place, &a.code, &a.sentence).cmp(&(&b.place, &b.code, &b.sentence)));
}

/// Parses each package and has it looked at; parsed files live as long as that.
fn each_package(project: &Project, max_bytes: u64) -> Vec<Part> {
    let paths: FxHashSet<&str> = project.packages.iter().map(|p| &*p.import_path).collect();
    let one = |files: &Files| -> Part {
        let mut part = Part::default();
        let out = &mut part.checked;
        let Ok(mut parser) = GoParser::new() else {
            out.gaps.push(Gap {
                file: files.dir.to_string_lossy().into_owned(),
                line: None,
                kind: GapKind::Unreadable,
                text: "the grammar could not be loaded".into(),
            });
            return part;
        };
        let mut gaps = Vec::new();
        let mut texts = Vec::new();
        for f in &files.files {
            match read_source(&f.path, max_bytes) {
                Read::Text(text) => texts.push((f, text)),
                Read::Not(kind, text) => gaps.push(Gap { file: f.name.clone(), line: None, kind, text }),
            }
        }
        let mut parsed_files = Vec::with_capacity(texts.len());
        for (f, text) in &texts {
            out.files += 1;
            out.lines += memchr::memchr_iter(b'\n', text.as_bytes()).count();
            out.generated += usize::from(f.kind == FileKind::Generated);
            parsed_files.extend(parsed(&mut parser, &f.name, f.kind, text, &mut gaps));
        }
        let pkg = Package::new(&files.import_path, &files.name, files.go_minor(), &parsed_files);
        let calls = Calls::new(&pkg);
        let case = Case::new(&pkg, &calls);
        run(&case, &mut gaps, &mut part);
        part.census = Census::of(&case, &paths);
        part.checked.gaps.append(&mut gaps);
        part
    };
    let work = || project.packages.par_iter().with_max_len(1).map(one).collect();
    match rayon::ThreadPoolBuilder::new().stack_size(STACK).build() {
        Ok(pool) => pool.install(work),
        // Without threads of our own those of the process must do; their stacks hold what people write.
        Err(_) => work(),
    }
}

fn parsed<'s>(
    parser: &mut GoParser,
    name: &'s str,
    kind: FileKind,
    text: &'s str,
    gaps: &mut Vec<Gap>,
) -> Option<ParsedFile<'s>> {
    let gap = |line, kind, text: &str| Gap { file: name.to_owned(), line, kind, text: text.to_owned() };
    match parser.parse(text) {
        Ok(ast) => {
            if let Some(at) = ast.error_at {
                let text = "from here on something is no Go that the grammar knows: what could be read was read";
                gaps.push(gap(Some(at.line), GapKind::Syntax, text));
            }
            if let Some(at) = ast.too_deep_at {
                gaps.push(gap(Some(at.line), GapKind::TooDeep, "nested too deeply: what is inside was not read"));
            }
            Some(ParsedFile { name, kind, text, ast })
        }
        Err(NotParsed::TooSlow) => {
            gaps.push(gap(None, GapKind::Slow, "parsing was given up: is this Go?"));
            None
        }
        Err(NotParsed::NoGrammar) => {
            gaps.push(gap(None, GapKind::Unreadable, "the grammar could not be loaded"));
            None
        }
    }
}

/// Has every rule look at a package.
fn run(case: &Case<'_>, gaps: &mut Vec<Gap>, part: &mut Part) {
    let Part { checked: out, asks, .. } = part;
    let suppressed: Vec<Suppressed> = case.pkg.files.iter().map(|f| Suppressed::of(f, gaps)).collect();
    // How often the same has been found: equal findings are told apart by their order.
    let mut alike: FxHashMap<u64, u32> = FxHashMap::default();
    let mut by_key: BTreeMap<String, ()> = BTreeMap::new();
    let ends = OnceCell::new();
    for entry in ALL {
        let mut found = Out::new(entry.level);
        (entry.check)(case, &mut found);
        found.reports.sort_by_key(|r| (r.func, r.span));
        found.reports.truncate(MAX_FINDINGS);
        for report in found.reports {
            let number = report.func.and_then(|id| case.pkg.funcs.get(id)).map_or(report.file, |f| f.file);
            let Some(file) = case.pkg.files.get(number) else { continue };
            if suppressed.get(number).is_some_and(|s| s.has(entry.info.code, report.span.line)) {
                out.suppressed += 1;
                continue;
            }
            let report_function = report.func.and_then(|id| case.pkg.funcs.get(id));
            let (report_func, report_span, report_ask) = (report.func, report.span, report.ask.clone());
            let mut finding = finding(case, entry, report);
            // What happens once in a process matters little, where it costs by happening again.
            let once = costs_by_number(entry.info.code)
                .then_some(report_func)
                .flatten()
                .and_then(|id| callers::once_at(case, id, report_span).map(Ask::Once));
            let questions = [report_ask, once];
            let waits = at_a_prompt(entry.info.code).is_some_and(|why| why.contains("waits at"));
            let prompt = || {
                is_command_line(case.pkg, file)
                    || file.name.split('/').any(|folder| folder == "cli")
                    || is_named_as_command(file, report_function)
                    || report_function.is_some_and(is_command)
                    || waits && report_function.is_some_and(|f| talks(case, f))
            };
            if let Some(why) = at_a_prompt(entry.info.code).filter(|_| prompt()) {
                finding.level = finding.level.min(Level::Hint);
                finding.why += why;
            }
            if let Some(why) = in_what_ends(entry.info.code).filter(|_| *ends.get_or_init(|| runs_through(case.pkg))) {
                finding.level = finding.level.min(Level::Hint);
                finding.why += why;
            }
            if entry.info.code == "file-not-closed" && report_function.is_some_and(|f| ends_the_process(case, f)) {
                finding.level = finding.level.min(Level::Hint);
                finding.why +=
                    "; the function ends the process where something fails, as what runs at its start does: once";
            }
            let once_a_version = costs_by_number(entry.info.code) || entry.info.code == "defer-in-loop";
            if once_a_version && is_a_change(file.name) {
                finding.level = finding.level.min(Level::Hint);
                finding.why += "; by its name the file is one change of a database, which is made once";
            }
            let number_of_line = finding.place.line.saturating_sub(1) as usize;
            let line = file.text.lines().nth(number_of_line).unwrap_or_default();
            // A comment alone on its line speaks of the next.
            let above = number_of_line.checked_sub(1).and_then(|n| file.text.lines().nth(n)).unwrap_or_default();
            let above = if above.trim_start().starts_with("//") { above } else { "" };
            if [line, above].iter().any(|l| is_silenced_for_others(entry.info.code, l)) {
                finding.level = finding.level.min(Level::Hint);
                finding.why += "; a comment on the line says so to another linter: it may well be meant";
            }
            let receiver = report_function.and_then(Function::receiver_type);
            if supports_tests(&finding.place.file)
                || helps_tests(file)
                || is_test_package(case.pkg)
                || receiver.is_some_and(|of| stands_in(of) || is_a_fake(case, of))
                || report_function.is_some_and(|f| is_for_tests(case, f))
            {
                finding.level = finding.level.min(Level::Hint);
            }
            // The same place by the same rule is told once.
            let key =
                format!("{}:{}:{}:{}", finding.code, finding.place.file, finding.place.line, finding.place.column);
            if by_key.insert(key, ()).is_some() {
                continue;
            }
            let base = fnv(&[&finding.code, &finding.place.file, &finding.function, line.trim()]);
            let nth = alike.entry(base).or_default();
            finding.fingerprint = format!("{:016x}", fnv(&[&format!("{base:x}"), &nth.to_string()]));
            *nth += 1;
            if finding.level > Level::Hint {
                asks.extend(questions.into_iter().flatten().map(|ask| (out.findings.len(), ask)));
            }
            out.findings.push(finding);
        }
    }
}

/// Whether a function ends the process itself where something fails.
fn ends_the_process<'a>(case: &Case<'a>, f: &Function<'a>) -> bool {
    let text = case.file(f).at(f.decl.span);
    ["log.Fatal", "logger.Fatal", ".Fatalf(", "os.Exit("].iter().any(|w| text.contains(w))
}

/// Whether what a rule finds costs by happening again and again: once in a process it is small.
fn costs_by_number(code: &str) -> bool {
    matches!(
        code,
        "body-not-closed"
            | "context-not-handed-on"
            | "dial-no-timeout"
            | "file-not-closed"
            | "goroutine-no-exit"
            | "lock-held-across-wait"
            | "make-without-size"
            | "rows-not-closed"
            | "send-abandoned"
            | "ticker-not-stopped"
    )
}

/// Why what a rule finds matters little in a command that somebody runs and that ends: waits are ended by
/// hand, and what stays open is closed with the process.
fn at_a_prompt(code: &str) -> Option<&'static str> {
    match code {
        "client-no-timeout" | "dial-no-timeout" | "request-no-context" | "context-not-handed-on" => {
            Some("; a person who waits at the command line can end it")
        }
        "body-not-closed" | "file-not-closed" | "defer-in-loop" | "send-abandoned" => {
            Some("; the code is of commands: one that ends soon takes with it what it has open and what waits")
        }
        _ => None,
    }
}

/// Why what a rule finds matters little in a program that goes through its work and ends.
fn in_what_ends(code: &str) -> Option<&'static str> {
    match code {
        "body-not-closed" | "file-not-closed" | "defer-in-loop" => {
            Some("; the program waits for nothing and ends: the end closes what it has open")
        }
        "client-no-timeout" | "dial-no-timeout" | "request-no-context" => {
            Some("; the program does its work and ends: who runs it sees that it hangs, and ends it")
        }
        "goroutine-no-exit" | "range-never-closed" | "select-no-way-out" | "goroutine-unbounded" => {
            Some("; the program does its work and ends, and its goroutines with it")
        }
        _ => None,
    }
}

/// Whether a line is marked for another linter that looks for the same: `//nolint:gosec`, `// #nosec G114`.
fn is_silenced_for_others(code: &str, line: &str) -> bool {
    let (linters, numbers): (&[&str], &[&str]) = match code {
        "server-no-timeout" => (&["gosec"], &["G112", "G114"]),
        "body-not-closed" => (&["bodyclose"], &[]),
        "rows-not-closed" => (&["sqlclosecheck", "rowserrcheck"], &[]),
        "request-no-context" | "client-no-timeout" => (&["noctx"], &[]),
        "context-not-handed-on" => (&["contextcheck", "noctx"], &[]),
        "file-not-closed" => (&["gosec"], &["G307"]),
        _ => return false,
    };
    let Some((_, comment)) = line.split_once("//") else { return false };
    comment.split_once("nolint:").is_some_and(|(_, named)| {
        let named = named.split_whitespace().next().unwrap_or_default();
        named.split(',').any(|l| linters.contains(&l))
    }) || comment.contains("#nosec") && numbers.iter().any(|n| comment.contains(n))
}

fn finding(case: &Case<'_>, entry: &Entry, report: Report) -> Finding {
    let f = report.func.and_then(|id| case.pkg.funcs.get(id));
    // The file is there: the caller looked.
    let file = &case.pkg.files[f.map_or(report.file, |f| f.file)];
    let function = f.map(|f| case.pkg.symbol(f, f.scope.unit_at(report.span)));
    let related = report
        .related
        .into_iter()
        .filter_map(|(file, span, note)| Some(Related { place: case.pkg.files.get(file)?.place(span), note }));
    Finding {
        code: entry.info.code.to_owned(),
        level: report.level,
        certainty: Certainty::Syntactic,
        place: file.place(report.span),
        package: case.pkg.import_path.to_owned(),
        function: function.unwrap_or_default(),
        sentence: report.sentence,
        why: report.why.unwrap_or_else(|| entry.why.to_owned()),
        cure: report.cure.unwrap_or_else(|| entry.cure.to_owned()),
        evidence: Vec::new(),
        related: related.collect(),
        fingerprint: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{check_text, is_silenced_for_others};
    use crate::finding::Level;

    #[test]
    fn a_comment_for_another_linter_is_read_where_that_looks_for_the_same() {
        for (code, line) in [
            ("server-no-timeout", "http.ListenAndServe(a, nil) //nolint:gosec // for development only"),
            ("server-no-timeout", "http.ListenAndServe(a, nil) // #nosec G114"),
            ("body-not-closed", "resp, err := c.Do(req) //nolint:errcheck,bodyclose"),
        ] {
            assert!(is_silenced_for_others(code, line), "{line}");
        }
        for (code, line) in [
            ("server-no-timeout", "http.ListenAndServe(a, nil) //nolint:errcheck"),
            ("server-no-timeout", "http.ListenAndServe(a, nil) // #nosec G704"),
            ("body-not-closed", "resp, err := c.Do(req) //nolint:gosec"),
            ("lock-held-across-wait", "ch <- 1 //nolint:gosec"),
            ("server-no-timeout", "http.ListenAndServe(a, nil) // gosec says G114"),
        ] {
            assert!(!is_silenced_for_others(code, line), "{line}");
        }
    }

    #[test]
    fn what_is_given_a_test_is_there_for_tests() {
        let text = |parameter: &str| {
            format!(
                "package raft\nimport (\"testing\"; \"net/http\")\n\
                 func wait(t {parameter}) {{ _, err := http.Get(\"http://a\"); _ = err }}\n"
            )
        };
        let levels = |parameter: &str| -> Vec<Level> {
            check_text("testing.go", &text(parameter), None).findings.into_iter().map(|f| f.level).collect()
        };
        assert!(levels("string").contains(&Level::Warning), "{:?}", levels("string"));
        assert!(levels("*testing.T").iter().all(|l| *l == Level::Hint), "{:?}", levels("*testing.T"));
    }
}
