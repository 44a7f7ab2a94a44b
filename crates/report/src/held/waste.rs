//! WASTE: memory that is kept alive and not used.

use lastgasp_diagnosis::facts::{Facts, GraphWaste};
use lastgasp_diagnosis::units::{bytes, percent, plural};

use super::line::{is_worth_a_line, kind_of};

/// Kinds and owners that get a line.
const MOST: usize = 4;

/// What wastes most.
pub(crate) fn waste_lines(facts: &Facts) -> Vec<String> {
    let Some(g) = &facts.graph else { return Vec::new() };
    g.waste.iter().filter(|w| is_worth_a_line(g, w.wasted_bytes)).take(MOST).map(waste_line).collect()
}

/// `512 MB: 8 small slices keep large arrays (global main.heads, []uint8): 24 B of 512 MB used`.
pub(crate) fn waste_line(w: &GraphWaste) -> String {
    let what = match w.kind.as_str() {
        "subslice" => format!("{} of which the rest of the array is in no use", plural(w.count, "slice")),
        "substring" => format!("{} of which the rest of the text is in no use", plural(w.count, "string")),
        "overcapacity" => format!("{} with room that was never used", plural(w.count, "slice")),
        "empty" => format!("{} without an element in it", plural(w.count, "large collection")),
        "oversized" => format!("{} much too large for what is in it", plural(w.count, "map")),
        "boxed" => format!("{} boxed in interfaces", plural(w.count, "small value")),
        "pointer-slice" => format!("{} of pointers that could be one of values", plural(w.count, "slice")),
        other => format!("{} ({other})", plural(w.count, "object")),
    };
    let share = percent(w.used_bytes as f64 / w.kept_bytes.max(1) as f64);
    format!(
        "{} not used: {what}; {} of {} ({share}) is used; {} in {}",
        bytes(w.wasted_bytes),
        bytes(w.used_bytes),
        bytes(w.kept_bytes),
        kind_of(&w.type_name),
        w.owner
    )
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::GraphFacts;

    use super::*;

    #[test]
    fn waste_is_told_with_its_owner() {
        let of = |kind: &str, wasted| GraphWaste {
            kind: kind.into(),
            owner: "global main.heads".into(),
            type_name: "[]uint8".into(),
            count: 8,
            kept_bytes: wasted + 24,
            used_bytes: 24,
            wasted_bytes: wasted,
        };
        let graph = GraphFacts {
            live_bytes: 1_000_000_000,
            waste: vec![of("subslice", 512_000_000), of("later", 20_000_000), of("boxed", 5)],
            ..GraphFacts::default()
        };
        let facts = Facts { graph: Some(graph), ..Facts::default() };
        assert_eq!(
            waste_lines(&facts),
            [
                "512 MB not used: 8 slices of which the rest of the array is in no use; 24 B of 512 MB (0.0 %) is \
                 used; []uint8 in global main.heads",
                "20.0 MB not used: 8 objects (later); 24 B of 20.0 MB (0.0 %) is used; []uint8 in global main.heads",
            ]
        );
    }
}
