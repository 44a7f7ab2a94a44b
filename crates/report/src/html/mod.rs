//! The report as one HTML file that needs no network: see README.md beside this for the page.

use serde_json::Value;

use crate::printable::printable;

/// The one page that reports and incidents are filled into.
const PAGE: &str = include_str!("page.html");
/// Colours, measures and the parts that all pages have.
pub(crate) const CSS: &str = include_str!("page.css");
/// How a page reads its JSON, formats figures and builds nodes.
pub(crate) const FORMAT: &str = include_str!("js/format.js");
/// In the order in which they depend on each other.
const SCRIPTS: &[&str] = &[
    FORMAT,
    include_str!("js/table.js"),
    include_str!("js/verdict.js"),
    include_str!("js/timeline.js"),
    include_str!("js/flame.js"),
    include_str!("js/goroutines.js"),
    include_str!("js/blocked.js"),
    include_str!("js/treemap.js"),
    include_str!("js/heap.js"),
    include_str!("js/ledger.js"),
    include_str!("js/evidence.js"),
    include_str!("js/source.js"),
    include_str!("js/main.js"),
];

/// The page for a report document.
#[must_use]
pub fn page(document: &Value) -> String {
    let service = document["target"]["service"].as_str().unwrap_or("process");
    filled(&format!("lastgasp: {service}"), "lastgasp report", CSS, &SCRIPTS.join("\n"), document)
}

/// The page with its title, the command that says the same as text, style, scripts and document in their
/// places.
pub(crate) fn filled(title: &str, command: &str, css: &str, scripts: &str, document: &Value) -> String {
    let page = PAGE;
    // A function of the target may be named like a placeholder or hold </script>: the page is filled in one
    // pass, and `<` is escaped in the JSON.
    let json =
        document.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let values = [
        ("{{TITLE}}", escape(&printable(title))),
        ("{{COMMAND}}", escape(command)),
        ("/*{{CSS}}*/", css.to_owned()),
        ("/*{{JS}}*/", scripts.to_owned()),
        ("{{JSON}}", json),
    ];
    let mut out = String::with_capacity(page.len() + values.iter().map(|v| v.1.len()).sum::<usize>());
    let mut rest = page;
    while let Some((at, key, value)) =
        values.iter().filter_map(|(k, v)| Some((rest.find(k)?, k, v))).min_by_key(|(at, ..)| *at)
    {
        out.push_str(rest.get(..at).unwrap_or_default());
        out.push_str(value);
        rest = rest.get(at + key.len()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_string() {
        let name = "</script><img src=x onerror=alert(1)>/*{{CSS}}*/{{JSON}}";
        let page = page(&serde_json::json!({"target": {"service": name}}));
        assert_eq!(page.matches("</script>").count(), PAGE.matches("</script>").count());
        assert!(!page.contains("<img"));
        assert!(page.contains("default-src 'none'") && page.contains("<code>lastgasp report --format text</code>"));
        assert!(!page.contains("{{TITLE}}") && !page.contains("{{COMMAND}}"));
    }

    #[test]
    fn the_page_names_no_network_and_no_dangerous_calls() {
        for text in SCRIPTS.iter().chain([&CSS]) {
            for bad in ["</script", "{{", "innerHTML", "eval(", "http:", "https:", "fetch("] {
                let svg = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!svg.contains(bad), "{bad}");
            }
        }
    }
}
