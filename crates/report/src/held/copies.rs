//! COPIES: collections of equal content, who holds them, and what one of them would save.

use lastgasp_diagnosis::facts::{CopyHolder, Facts, GraphCopies};
use lastgasp_diagnosis::may_be_buffers;
use lastgasp_diagnosis::units::{bytes, count, plural};

use super::line::{is_worth_a_line, kind_of};

/// Groups of copies that get a line.
const MOST: usize = 4;
/// Holders of one group that are named.
const MOST_HOLDERS: usize = 2;

/// The groups that would save most as one.
pub(crate) fn copies_lines(facts: &Facts) -> Vec<String> {
    let Some(g) = &facts.graph else { return Vec::new() };
    g.copies
        .iter()
        .filter(|c| c.copies > 1 && is_worth_a_line(g, c.savable_bytes))
        .take(MOST)
        .map(copies_line)
        .collect()
}

/// `158 x map[int64]int64 of 230,000 elements, equal content: 4.46 MB each, 704 MB in all, 699 MB to save;
/// held by ...`.
pub(crate) fn copies_line(c: &GraphCopies) -> String {
    let equal = match c.equal.as_str() {
        "content" => "equal content",
        _ => "equal in type, length and size (their content was not compared)",
    };
    // Of what each reads into none can be spared.
    let what_for = if may_be_buffers(c) {
        "buffers of those that read the same, it seems".to_owned()
    } else {
        format!("{} to save as one", bytes(c.savable_bytes))
    };
    let mut out = format!(
        "{} x {} of {}, {equal}: {} each, {} in all, {what_for}",
        count(c.copies),
        kind_of(&c.type_name),
        plural(c.elements, "element"),
        bytes(c.bytes_each),
        bytes(c.total_bytes),
    );
    let named: Vec<String> = c.holders.iter().take(MOST_HOLDERS).map(holder).collect();
    if !named.is_empty() {
        let more = c.holders.len().saturating_sub(named.len());
        let more = if more == 0 { String::new() } else { format!(" and {} more", count(more as u64)) };
        out.push_str(&format!("; held by {}{more}", named.join(", ")));
    }
    if !c.site.is_empty() {
        let at = if c.site_at.is_empty() { String::new() } else { format!(" ({})", c.site_at) };
        out.push_str(&format!("; built in {}{at}", c.site));
    }
    out
}

/// `158 goroutines in main.ugcTab`, `main.cache`.
fn holder(h: &CopyHolder) -> String {
    match h.goroutines {
        0 => h.function.clone(),
        n => format!("{} in {}", plural(n, "goroutine"), h.function),
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::GraphFacts;

    use super::*;

    #[test]
    fn copies_are_told_with_what_one_would_save() {
        let group = GraphCopies {
            type_name: "map[int64]int64".into(),
            copies: 158,
            elements: 230_000,
            bytes_each: 4_460_000,
            total_bytes: 704_000_000,
            savable_bytes: 699_000_000,
            equal: "content".into(),
            holders: vec![CopyHolder { function: "main.ugcTab".into(), goroutines: 158, copies: 158 }],
            site: "main.buildAvidMap".into(),
            site_at: "server.go:87".into(),
        };
        let shape = GraphCopies { equal: "shape".into(), site: String::new(), holders: Vec::new(), ..group.clone() };
        let small = GraphCopies { savable_bytes: 100, ..group.clone() };
        let graph =
            GraphFacts { live_bytes: 1_000_000_000, copies: vec![group, shape, small], ..GraphFacts::default() };
        let facts = Facts { graph: Some(graph), ..Facts::default() };
        assert_eq!(
            copies_lines(&facts),
            [
                "158 x map[int64]int64 of 230,000 elements, equal content: 4.46 MB each, 704 MB in all, 699 MB to \
                 save as one; held by 158 goroutines in main.ugcTab; built in main.buildAvidMap (server.go:87)",
                "158 x map[int64]int64 of 230,000 elements, equal in type, length and size (their content was not \
                 compared): 4.46 MB each, 704 MB in all, 699 MB to save as one",
            ]
        );
    }
}
