//! The width of comments, which rustfmt leaves alone.

use super::tree::Tree;

/// Columns.
const WIDTH: usize = 110;
/// Comments that are wider: rows of tables, which cannot be wrapped. May only become fewer.
const MOST: usize = 8;

/// More of them than there were.
pub(super) fn check(tree: &Tree) -> Vec<String> {
    let wide = wide(tree);
    if wide.len() <= MOST {
        return Vec::new();
    }
    let complaint =
        format!("{} lines of comments are wider than {WIDTH}, {MOST} may be: wrap those that are new", wide.len());
    [vec![complaint], wide].concat()
}

/// How many there are.
pub(super) fn note(tree: &Tree) -> String {
    let now = wide(tree).len();
    let lower = if now < MOST { format!("; MOST in {} can be lowered", file!()) } else { String::new() };
    format!("comments wider than {WIDTH}: {now}, {MOST} may be{lower}")
}

/// Lines of comments in Rust sources that are too wide, as `file:line`. What cannot be broken (a link) does
/// not count.
fn wide(tree: &Tree) -> Vec<String> {
    let lines = tree.ending(".rs").flat_map(|(file, text)| text.lines().enumerate().map(move |(i, l)| (file, i, l)));
    lines.filter(|(.., l)| is_wide(l)).map(|(file, i, _)| format!("{}:{}", file, i + 1)).collect()
}

fn is_wide(line: &str) -> bool {
    let comment = line.trim_start();
    comment.starts_with("//") && line.chars().count() > WIDTH && !comment.contains("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_count() {
        let long = "x".repeat(WIDTH);
        assert!(is_wide(&format!("    /// {long}")));
        assert!(!is_wide(&format!("/// {}", "x".repeat(WIDTH - 4))));
        assert!(!is_wide(&format!("let {long} = 1;")));
        assert!(!is_wide(&format!("// https://{long}")));
    }
}
