//! A report held against the truth. Pure: a JSON document in, a judgement out.
//!
//! The site is right if the verdict's subject, the site that it points to, or its sentence names a function
//! of the truth. The cause is what the title claims, else the sentence, else the cure: right if one of the
//! words claimed there is of the truth. A general word ("calls wait") counts only where none of the three
//! claims another. A verdict that is surer than [`SURE`] is wrong if its site is another
//! function, if its cause is another one, or if it claims no cause at all: confidence is of the whole
//! sentence.

use regex::Regex;
use serde_json::Value;

use crate::expect::{Causes, Unknowable, Way};

/// A verdict with more confidence than this is sure.
pub const SURE: f64 = 0.6;

/// How a part of a verdict came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As the truth has it.
    Right,
    /// Something else is claimed.
    Wrong,
    /// Nothing is claimed.
    Unsaid,
    /// There is nothing to be said, or it cannot be known.
    NotCounted,
}

impl Outcome {
    /// For a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "WRONG",
            Self::Unsaid => "unsaid",
            Self::NotCounted => "-",
        }
    }
}

/// What was said, and what is to be thought of it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Judgement {
    /// Code of the rule; empty if there is no finding.
    pub code: String,
    /// In the report's words.
    pub title: String,
    /// In the report's words.
    pub sentence: String,
    /// In the report's words.
    pub cure: String,
    /// 0 to 1.
    pub confidence: f64,
    /// The function that the verdict is about; empty if none.
    pub function: String,
    /// The words of `causes.toml` that it claims.
    pub claimed: Vec<String>,
    /// The place.
    pub site: Outcome,
    /// The cause.
    pub cause: Outcome,
    /// Type, owner and holder of what is kept, of a binary without a memory profile.
    pub kept: Outcome,
    /// Whether it is sure of what is wrong.
    pub sure_and_wrong: bool,
}

impl Judgement {
    /// Of a death that left nothing to be judged.
    #[must_use]
    pub fn of_nothing(way: &Way, profiled: bool, why: String) -> Self {
        let counted = |what| if knowable(way, profiled, what) { Outcome::Unsaid } else { Outcome::NotCounted };
        Self {
            code: String::new(),
            title: why,
            sentence: String::new(),
            cure: String::new(),
            confidence: 0.0,
            function: String::new(),
            claimed: Vec::new(),
            site: counted(Unknowable::Site),
            cause: counted(Unknowable::Cause),
            kept: kept(&Value::Null, way, profiled),
            sure_and_wrong: false,
        }
    }
}

/// Judges the verdict of a report.
#[must_use]
pub fn judge(report: &Value, way: &Way, profiled: bool, causes: &Causes) -> Judgement {
    let verdict = &report["verdict"];
    let text = |name: &str| verdict[name].as_str().unwrap_or_default().to_owned();
    let found = verdict["level"].as_str().is_some_and(|l| l != "none");
    if !found {
        return Judgement { sentence: text("sentence"), ..Judgement::of_nothing(way, profiled, text("title")) };
    }
    let (title, sentence, cure) = (text("title"), text("sentence"), text("cure"));
    let confidence = verdict["confidence"].as_f64().unwrap_or(0.0);
    let sure = confidence > SURE + 1e-9;

    let named = functions(report);
    let site = if named.iter().any(|f| is_of(f, &way.site)) || names_one_of(&sentence, &way.site) {
        Outcome::Right
    } else if named.is_empty() {
        Outcome::Unsaid
    } else {
        Outcome::Wrong
    };

    let spoken = [&title, &sentence, &cure].map(|t| without_names(t));
    // A title that says that the cause is not known is taken at its word, if it is not sure of it: then the
    // rest claims nothing.
    let silent = causes.is_silent(&spoken[0]) && !sure;
    let heard = if silent { &spoken[..1] } else { &spoken[..] };
    let claimed: Vec<String> = causes.claimed(heard).into_iter().map(str::to_owned).collect();
    let cause = if claimed.iter().any(|c| way.cause.contains(c)) {
        Outcome::Right
    } else if claimed.is_empty() {
        Outcome::Unsaid
    } else {
        Outcome::Wrong
    };

    let wrong_site = site == Outcome::Wrong && !way.site.is_empty();
    let sure_and_wrong = sure && (wrong_site || cause != Outcome::Right);
    // What cannot be known may be said rightly; not said it does not count.
    let counted = |outcome, what| if knowable(way, profiled, what) { outcome } else { Outcome::NotCounted };
    Judgement {
        code: text("code"),
        title,
        sentence,
        cure,
        confidence,
        function: named.into_iter().next().unwrap_or_default(),
        claimed,
        site: counted(site, Unknowable::Site),
        cause: counted(cause, Unknowable::Cause),
        kept: kept(verdict, way, profiled),
        sure_and_wrong,
    }
}

/// Whether a verdict of a binary without a memory profile names type, owner and holder, as far as the truth
/// has them.
fn kept(verdict: &Value, way: &Way, profiled: bool) -> Outcome {
    let asked = [&way.types, &way.owner, &way.holder];
    if profiled || asked.iter().all(|names| names.is_empty()) {
        return Outcome::NotCounted;
    }
    let mut texts = Vec::new();
    let mut waiting = vec![verdict];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) => texts.push(text.as_str()),
            Value::Array(values) => waiting.extend(values),
            Value::Object(fields) => waiting.extend(fields.values()),
            _ => {}
        }
    }
    let is_named = |names: &Vec<String>| names.is_empty() || names.iter().any(|n| texts.iter().any(|t| t.contains(n)));
    if asked.into_iter().all(is_named) { Outcome::Right } else { Outcome::Unsaid }
}

fn knowable(way: &Way, profiled: bool, what: Unknowable) -> bool {
    let no_site = what == Unknowable::Site && way.site.is_empty();
    !no_site && (profiled || !way.unknowable.contains(&what))
}

/// Functions that the verdict is about: its subject, and the site that it points to.
fn functions(report: &Value) -> Vec<String> {
    let verdict = &report["verdict"];
    let subject = &verdict["subject"];
    let mut out: Vec<String> =
        ["function", "starts"].iter().filter_map(|name| subject[*name].as_str()).map(str::to_owned).collect();
    if let Some(id) = verdict["site"].as_i64() {
        let sites = report["profile"]["sites"].as_array().into_iter().flatten();
        let site = sites.filter(|s| s["id"].as_i64() == Some(id)).filter_map(|s| s["function"].as_str());
        out.extend(site.map(str::to_owned));
    }
    out.retain(|f| !f.is_empty());
    out
}

/// A function's name without type arguments, which may hold any text.
fn plain(function: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0u32);
    for c in function.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

/// Whether a function is one of these, or a closure of one.
fn is_of(function: &str, accepted: &[String]) -> bool {
    let function = plain(function);
    let closure_of = |a: &str| function.strip_prefix(a).is_some_and(|rest| rest.starts_with('.'));
    accepted.iter().any(|a| function == *a || closure_of(a))
}

/// Whether a text names one of these functions as a whole word.
fn names_one_of(text: &str, accepted: &[String]) -> bool {
    let text = plain(text);
    accepted.iter().any(|a| {
        text.match_indices(a.as_str()).any(|(at, _)| {
            let of_name = |c: char| c.is_alphanumeric() || c == '_';
            let before = text[..at].chars().next_back();
            let after = text[at + a.len()..].chars().next();
            !before.is_some_and(|c| of_name(c) || c == '/' || c == '.') && !after.is_some_and(of_name)
        })
    })
}

/// A text without functions of programs and places in their sources: a function may be called `queue` or
/// `leak`, and claims nothing by that.
fn without_names(text: &str) -> String {
    const NAMES: &str = r"\([\w./-]+\.go:\d+\)|(\bmain|[\w.-]+(/[\w.-]+)+)\.(\(\*?\w+\)\.)?\w+(\.\w+)*";
    // A constant: it is tried by the tests below.
    Regex::new(NAMES).map_or_else(|_| text.to_owned(), |r| r.replace_all(&plain(text), "it").into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::expect::Expect;

    fn way(name: &str) -> Way {
        Expect::load().unwrap().ways.remove(name).unwrap()
    }

    fn judged(name: &str, verdict: Value) -> Judgement {
        let report = json!({"verdict": verdict, "profile": {"sites": [{"id": 3, "function": "main.beginPage"}]}});
        judge(&report, &way(name), true, &Causes::load().unwrap())
    }

    fn outcome(j: &Judgement) -> (Outcome, Outcome, bool) {
        (j.site, j.cause, j.sure_and_wrong)
    }

    #[test]
    fn sure_of_another_cause_is_sure_and_wrong() {
        let said = |confidence: f64, title: &str| {
            outcome(&judged(
                "lock-held",
                json!({"level": "critical", "title": title, "confidence": confidence, "site": 3, "sentence": "x",
                       "cure": "Build what main.beginPage builds once."}),
            ))
        };
        let copies = "every call builds its own copy of something large";
        assert_eq!(said(0.97, copies), (Outcome::Right, Outcome::Wrong, true));
        assert_eq!(said(0.6, copies), (Outcome::Right, Outcome::Wrong, false));
        let lock = "calls wait for a lock that nobody gives back";
        assert_eq!(said(0.97, lock), (Outcome::Right, Outcome::Right, false));
        // That the cause is not known may be said, but not surely; and then a cure claims nothing.
        let unknown = "one function allocates faster than memory lasts";
        assert_eq!(said(0.5, unknown), (Outcome::Right, Outcome::Unsaid, false));
        assert_eq!(said(0.9, unknown), (Outcome::Right, Outcome::Wrong, true));
    }

    #[test]
    fn sure_of_no_cause_is_sure_and_wrong() {
        let j = judged("lock-held", json!({"level": "critical", "title": "x", "confidence": 0.9, "site": 3}));
        assert_eq!(outcome(&j), (Outcome::Right, Outcome::Unsaid, true));
    }

    #[test]
    fn sure_of_another_place_is_sure_and_wrong() {
        let said = |function: &str, sentence: &str| {
            let title = "calls wait for a lock that nobody gives back";
            let subject = json!({"kind": "site", "function": function});
            outcome(&judged(
                "lock-held",
                json!({"level": "critical", "title": title, "confidence": 0.9, "subject": subject, "sentence": sentence}),
            ))
        };
        assert_eq!(said("main.(*prices).lookup", ""), (Outcome::Right, Outcome::Right, false));
        assert_eq!(said("main.(*shop).product.func1", ""), (Outcome::Right, Outcome::Right, false));
        assert_eq!(said("fmt.Fprintf", ""), (Outcome::Wrong, Outcome::Right, true));
        assert_eq!(said("main.beginPages", "main.beginPages is it"), (Outcome::Wrong, Outcome::Right, true));
        // A library's function, said with the program's own.
        assert_eq!(
            said("fmt.Fprintf", "called from main.beginPage (a/main.go:3)"),
            (Outcome::Right, Outcome::Right, false)
        );
    }

    #[test]
    fn nothing_found_is_nothing_said() {
        let j = judged("lock-held", json!({"level": "none", "title": "no finding", "sentence": "nothing grew"}));
        assert_eq!(outcome(&j), (Outcome::Unsaid, Outcome::Unsaid, false));
        assert_eq!(outcome(&judged("mapped", json!({"level": "none"}))), (Outcome::NotCounted, Outcome::Unsaid, false));
    }

    /// Where no function is the matter, one that is named makes the cause wrong and not the site.
    #[test]
    fn a_death_without_a_place() {
        let subject = json!({"kind": "site", "function": "main.fill"});
        let leak =
            json!({"level": "critical", "title": "memory leaks from one place", "confidence": 0.8, "subject": subject});
        assert_eq!(outcome(&judged("neighbour", leak)), (Outcome::NotCounted, Outcome::Wrong, true));
        let others = json!({"level": "critical", "title": "not this process: others fill the group", "confidence": 0.8, "subject": subject});
        assert_eq!(outcome(&judged("neighbour", others)), (Outcome::NotCounted, Outcome::Right, false));
    }

    /// What is kept, by what and by whom: all three are to be said, and of a binary with a profile none is
    /// asked.
    #[test]
    fn who_keeps_what() {
        let mut way = way("lock-held");
        (way.types, way.owner) = (vec!["[]uint8".into()], vec!["main.pages".into()]);
        way.holder = vec!["main.beginPage".into()];
        let said = |sentence: &str, profiled| {
            let verdict = json!({"level": "critical", "title": "x", "confidence": 0.1, "sentence": sentence});
            judge(&json!({"verdict": verdict}), &way, profiled, &Causes::load().unwrap()).kept
        };
        let all = "[]uint8 is kept by global main.pages, and by 7 goroutines in main.beginPage";
        assert_eq!((said(all, false), said(all, true)), (Outcome::Right, Outcome::NotCounted));
        assert_eq!(said("[]uint8 is kept by global main.pages", false), Outcome::Unsaid);
        way.types.clear();
        assert_eq!(kept(&json!({"sentence": all}), &way, false), Outcome::Right);
        (way.owner, way.holder) = (Vec::new(), Vec::new());
        assert_eq!(kept(&json!({"sentence": all}), &way, false), Outcome::NotCounted);
    }

    #[test]
    fn names_claim_nothing() {
        let text = "main.(*queue).leak (deep-stacks/main.go:31) and a.com/b/pool.Recurse[go.shape.[]string].func1, then sync.Mutex.Lock";
        assert_eq!(without_names(text), "it it and it, then sync.Mutex.Lock");
        assert!(is_of("a/b.(*Vec[go.shape.struct { a.b [8]uint32 }]).With", &["a/b.(*Vec).With".to_owned()]));
    }
}
