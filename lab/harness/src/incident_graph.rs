//! What the graph of a dead `resource-service` says of its copies, held against the service's own truth.
//! Pure: a JSON document in, what is not so out.

use serde_json::Value;

use crate::incident::{Expect, Truth};

/// What the document of an incident's capture gets wrong of the copies that killed it; empty where it has
/// all: as many live copies of one map of the big config's ids as the service counts, of equal content, the
/// bytes of each and of all, held by as many goroutines in the culprit's caller, built in the culprit.
#[must_use]
pub fn copies_missed(document: &Value, expect: &Expect, truth: &Truth) -> Vec<String> {
    let groups = document["graph"]["copies"].as_array().map_or(&[][..], Vec::as_slice);
    let is_it = |c: &&Value| {
        c["type"] == "map[int64]struct {}" && c["elements"] == expect.config.ids_burst && c["equal"] == "content"
    };
    let found: Vec<&Value> = groups.iter().filter(is_it).collect();
    let [one] = found[..] else { return vec![format!("{} groups of such maps", found.len())] };
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    let mut missed = Vec::new();
    // Those that were being built at the end may have been finished since, or have all ids already.
    let copies = number(&one["copies"]);
    if !(truth.full_maps..=truth.full_maps + truth.building).contains(&copies) {
        missed.push(format!(
            "{copies} copies, the service says {} and {} in the making",
            truth.full_maps, truth.building
        ));
    }
    let (each, all) = (number(&one["bytes_each"]), number(&one["total_bytes"]));
    if each.abs_diff(truth.map_live) * 20 > truth.map_live {
        missed.push(format!("{each} bytes each, the service says {}", truth.map_live));
    }
    if all < each * copies
        || all > (each + 1) * copies
        || number(&one["savable_bytes"]) < each * copies.saturating_sub(2)
    {
        missed.push(format!("{each} bytes each, {all} together: {one}"));
    }
    let caller = expect.culprit.caller.as_str();
    let holders = one["holders"].as_array().map_or(&[][..], Vec::as_slice);
    let held = holders.iter().find(|h| h["function"] == caller).map_or(0, |h| number(&h["goroutines"]));
    if held + truth.building < copies || held > copies {
        missed.push(format!("held by {held} goroutines in {caller}: {one}"));
    }
    if one["site"] != expect.culprit.function.as_str() {
        missed.push(format!("built in {}, and not in {}", one["site"], expect.culprit.function));
    }
    missed
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_demo_ends_with() {
        let expect = Expect::load().unwrap();
        let truth = Truth { full_maps: 158, building: 3, map_live: 7_200_000, ..Truth::default() };
        let copies = |n: u64, equal: &str, site: &str| {
            let holders = json!([{"function": "main.(*Server).ugcTab", "goroutines": n, "copies": n}]);
            json!({"graph": {"copies": [{
                "type": "map[int64]struct {}", "copies": n, "elements": 230_000, "bytes_each": 7_250_000,
                "total_bytes": 7_250_000 * n, "savable_bytes": 7_250_000 * (n - 1), "equal": equal,
                "holders": holders, "site": site,
            }]}})
        };
        let missed = |document: &Value| copies_missed(document, &expect, &truth).len();
        assert_eq!(missed(&copies(158, "content", "main.buildAvidMap")), 0);
        assert_eq!(missed(&copies(160, "content", "main.buildAvidMap")), 0);
        assert_eq!(missed(&copies(100, "content", "main.buildAvidMap")), 1);
        assert_eq!(missed(&copies(158, "shape", "main.buildAvidMap")), 1);
        assert_eq!(missed(&copies(158, "content", "main.newVideo")), 1);
        assert_eq!(missed(&json!({})), 1);
    }
}
