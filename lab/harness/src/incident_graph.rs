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

/// What is missing in what a report says of those copies, and of the collection that brought them about;
/// empty where it says all: the finding of copies, and the config's own collection that grew from the number
/// of ids of the calm to that of the big config.
#[must_use]
pub fn unsaid(document: &Value, expect: &Expect) -> Vec<String> {
    let mut missed = Vec::new();
    let copies = [expect.culprit.caller.as_str(), expect.culprit.function.as_str(), "equal content", "would save"];
    let (before, now) = (expect.config.ids_calm.to_string(), with_commas(expect.config.ids_burst));
    let jumped = [before.as_str(), now.as_str()];
    for (code, words) in [("copies-of-one-content", &copies[..]), ("collection-jumped", &jumped)] {
        let said = sentences(document, code);
        if !said.iter().any(|s| words.iter().all(|w| s.contains(w))) {
            missed.push(format!("{code}: {said:?} lacks one of {words:?}"));
        }
    }
    missed
}

/// Findings of the incident's copies; of the repaired service there is none.
#[must_use]
pub fn said_of_copies(document: &Value, expect: &Expect) -> Vec<String> {
    let mut said = sentences(document, "copies-of-one-content");
    let groups = document["graph"]["copies"].as_array().map_or(&[][..], Vec::as_slice);
    let big = groups.iter().filter(|c| c["type"] == "map[int64]struct {}" && c["elements"] == expect.config.ids_burst);
    said.extend(big.map(Value::to_string));
    said
}

/// As reports write numbers: `230,000`.
fn with_commas(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What findings of that code say.
fn sentences(document: &Value, code: &str) -> Vec<String> {
    let findings = document["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let of_code = findings.iter().filter(|f| f["code"] == code);
    of_code.map(|f| f["sentence"].as_str().unwrap_or_default().to_owned()).collect()
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

    #[test]
    fn what_the_report_must_say_and_what_of_the_repaired_it_must_not() {
        let expect = Expect::load().unwrap();
        let finding = |code: &str, sentence: &str| json!({"code": code, "sentence": sentence});
        let copies = finding(
            "copies-of-one-content",
            "158 live copies of map[int64]struct {} with 230,000 elements each, of equal content: held by 158 goroutines in main.(*Server).ugcTab, built in main.buildAvidMap; one of them, shared, would save 1.1 GB.",
        );
        let jumped = finding("collection-jumped", "main.store has 230,000 elements, and had 312 4 s before");
        let document = json!({"findings": [copies, jumped.clone()]});
        assert_eq!(unsaid(&document, &expect), Vec::<String>::new());
        assert_eq!(said_of_copies(&document, &expect).len(), 1);
        let repaired = json!({"findings": [jumped], "graph": {"copies": []}});
        assert_eq!(unsaid(&repaired, &expect).len(), 1);
        assert!(said_of_copies(&repaired, &expect).is_empty());
        let silent = json!({"graph": {"copies": [{"type": "map[int64]struct {}", "elements": 230_000}]}});
        assert_eq!(said_of_copies(&silent, &expect).len(), 1, "a group without a finding is one too");
    }
}
