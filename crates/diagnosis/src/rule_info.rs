//! Code, title and page of what a report can say: of a rule, and of a cause of blocked goroutines.

/// What is published of a rule or a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Code, as in `findings[].code`; never renamed.
    pub code: &'static str,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// Its page, in Markdown.
    pub doc: &'static str,
}

impl RuleInfo {
    /// What is wrong with the page, in words: its first line, its headings and their order, sections that say
    /// nothing, lines that are too wide for a terminal. Every catalogue's test asks it.
    #[must_use]
    pub fn faults_of_page(&self, headings: &[&str]) -> Vec<String> {
        let mut out = Vec::new();
        if self.doc.lines().next() != Some(&*format!("# {}", self.code)) {
            out.push(format!("{}: the first line is not its code", self.code));
        }
        let has: Vec<&str> = self.doc.lines().filter_map(|l| l.strip_prefix("## ")).collect();
        if has != headings {
            out.push(format!("{}: headings are {has:?}", self.code));
        }
        for section in self.doc.split("\n## ").skip(1) {
            let (heading, text) = section.split_once('\n').unwrap_or_default();
            if text.trim().len() <= 20 {
                out.push(format!("{}: {heading} says nothing", self.code));
            }
        }
        let wide = self.doc.lines().filter(|l| l.chars().count() > 110);
        out.extend(wide.map(|l| format!("{}: wider than 110: {l}", self.code)));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told() {
        let page = |doc| RuleInfo { code: "a", title: "", doc };
        assert!(page("# a\n\n## Why\n\nBecause it is so and no other way.\n").faults_of_page(&["Why"]).is_empty());
        for doc in ["# b\n\n## Why\n\nBecause it is so and no other way.\n", "# a\n\n## Why\n\nSo.\n", "# a\n"] {
            assert_eq!(page(doc).faults_of_page(&["Why"]).len(), 1, "{doc}");
        }
        let wide = Box::leak(format!("# a\n\n## Why\n\n{}\n", "x".repeat(111)).into_boxed_str());
        assert_eq!(page(wide).faults_of_page(&["Why"]).len(), 1);
    }
}
