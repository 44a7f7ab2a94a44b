//! `lastgasp explain`: the pages of the rules, and of the causes of blocked goroutines, for a terminal.

use std::fmt::{self, Write as _};

use lastgasp_diagnosis::{RuleInfo, catalogue, causes};
use lastgasp_gosource::catalogue as source_rules;

/// A code that no rule and no cause has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode(String);

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = all().map(|info| info.code).collect();
        write!(f, "no rule has the code {:?}; the codes are: {}", self.0, codes.join(", "))
    }
}

impl std::error::Error for UnknownCode {}

/// Every rule, then every cause of blocked goroutines, then every rule about source, by code.
fn all() -> impl Iterator<Item = &'static RuleInfo> {
    catalogue().chain(causes()).chain(source_rules())
}

/// The page of a rule or a cause: Markdown, with headings in capitals and without backticks.
///
/// # Errors
/// Nothing has that code.
pub fn explain(code: &str) -> Result<String, UnknownCode> {
    all().find(|info| info.code == code).map(page).ok_or_else(|| UnknownCode(code.to_owned()))
}

/// Every rule and every cause in a line.
#[must_use]
pub fn explain_all() -> String {
    let width = all().map(|info| info.code.len()).max().unwrap_or(0) + 2;
    let mut out = String::new();
    for info in all() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{:<width$}{}", info.code, info.title);
    }
    out
}

fn page(info: &RuleInfo) -> String {
    let mut out = String::new();
    for line in info.doc.lines() {
        if line.starts_with("# ") {
            let _ = writeln!(out, "{}: {}", info.code, info.title);
        } else if let Some(heading) = line.strip_prefix("## ") {
            out.push_str(&heading.to_uppercase());
            out.push('\n');
        } else if line.starts_with("    ") {
            // A report, as it is.
            out.push_str(line);
            out.push('\n');
        } else {
            out.push_str(&line.replace('`', ""));
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_read_in_a_terminal() {
        for info in catalogue() {
            let text = explain(info.code).unwrap();
            assert!(text.starts_with(&format!("{}: {}\n\nWHAT IT FINDS\n\n", info.code, info.title)), "{text}");
            assert!(text.contains("\n\nTHRESHOLDS\n\n") && !text.contains("\n#") && !text.contains('`'), "{text}");
            assert!(text.lines().all(|l| l.chars().count() <= 110), "{text}");
        }
        for info in causes() {
            let text = explain(info.code).unwrap();
            assert!(text.starts_with(&format!("{}: {}\n\nWHAT IT MEANS\n\n", info.code, info.title)), "{text}");
            assert!(text.contains("\n\nTHE CURE\n\n") && !text.contains("\n#"), "{text}");
        }
        for info in source_rules() {
            let text = explain(info.code).unwrap();
            assert!(text.starts_with(&format!("{}: {}\n\nWHAT IT FINDS\n\n", info.code, info.title)), "{text}");
            assert!(text.contains("\n\nCURES\n\n") && !text.contains("\n#"), "{text}");
        }
    }

    #[test]
    fn the_list_has_every_rule_and_so_has_the_answer_to_an_unknown_code() {
        let list = explain_all();
        let answer = explain("LG001").unwrap_err().to_string();
        assert_eq!(list.lines().count(), catalogue().len() + causes().len() + source_rules().len());
        for info in all() {
            assert!(list.contains(&format!("\n{}", info.code)) || list.starts_with(info.code), "{list}");
            assert!(answer.contains(info.code), "{answer}");
        }
        assert!(answer.contains("\"LG001\""), "{answer}");
    }
}
