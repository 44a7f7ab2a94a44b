//! Prometheus' text format (0.0.4), and what OpenMetrics has in common with it: samples, a line each. What is
//! no sample is passed over; how many lines were is said.

use super::selector::labels;

/// Longest line; labels of a sample at most; samples of a page at most.
const MAX_LINE: usize = 16 << 10;
const MAX_LABELS: usize = 64;
const MAX_SAMPLES: usize = 200_000;

/// A sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// Gives each sample of a page to `each`; gives the number of lines that are none, comments aside.
pub(crate) fn samples(page: &[u8], mut each: impl FnMut(Sample)) -> usize {
    let (mut bad, mut seen) = (0, 0);
    for line in page.split(|b| *b == b'\n') {
        let text = std::str::from_utf8(line).ok().map(str::trim);
        match text {
            Some(text) if text.is_empty() || text.starts_with('#') => {}
            Some(text) if text.len() <= MAX_LINE && seen < MAX_SAMPLES => match sample(text) {
                Some(sample) => {
                    seen += 1;
                    each(sample);
                }
                None => bad += 1,
            },
            _ => bad += 1,
        }
    }
    bad
}

fn sample(line: &str) -> Option<Sample> {
    let (name, labels_of, rest) = match line.find(['{', ' ', '\t']) {
        Some(at) if line.as_bytes().get(at) == Some(&b'{') => {
            let (name, after) = line.split_at(at);
            let end = end_of_labels(after)?;
            let inner = after.get(1..end)?;
            (name, labels(inner)?, after.get(end + 1..)?)
        }
        Some(at) => (line.get(..at)?, Vec::new(), line.get(at..)?),
        None => return None,
    };
    // A time may follow, and an exemplar: neither is asked for.
    let value = rest.split_ascii_whitespace().next()?;
    let value = match value {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok()?,
    };
    let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
    (named && labels_of.len() <= MAX_LABELS).then(|| Sample { name: name.to_owned(), labels: labels_of, value })
}

/// Where the brace stands that ends labels; one in a value is none.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut in_string, mut escaped) = (false, false);
    for (at, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'}' if !in_string => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(page: &str) -> (Vec<(String, usize, f64)>, usize) {
        let mut all = Vec::new();
        let bad = samples(page.as_bytes(), |s| all.push((s.name, s.labels.len(), s.value)));
        (all, bad)
    }

    #[test]
    fn a_page_as_it_comes() {
        let page = "\
# HELP haproxy_backend_http_requests_total Total number of requests.
# TYPE haproxy_backend_http_requests_total counter
haproxy_backend_http_requests_total{proxy=\"rs\"} 1027 1395066363000
x{a=\"}\\\"{\",b=\"é\"}   1.5e3
go_goroutines 42
inf +Inf
nonsense
9x 3 { }
y{a=\"b\" 3
";
        let (all, bad) = read(page);
        let row = |name: &str, labels, value| (name.to_owned(), labels, value);
        assert_eq!(
            all[..4],
            [
                row("haproxy_backend_http_requests_total", 1, 1027.0),
                row("x", 2, 1500.0),
                row("go_goroutines", 0, 42.0),
                row("inf", 0, f64::INFINITY)
            ]
        );
        // A name may not begin with a digit; that it does harms nobody here.
        assert_eq!((all.len(), bad), (5, 2));
    }

    proptest! {
        #[test]
        fn no_page_is_feared(page in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = samples(&page, |_| {});
        }

        #[test]
        fn values_come_back(n in any::<f64>().prop_filter("finite", |n| n.is_finite()), label in "[^\"\\\\\n]{0,20}") {
            let (all, bad) = read(&format!("m{{l=\"{label}\"}} {n}"));
            prop_assert_eq!((all, bad), (vec![("m".to_owned(), 1, n)], 0));
        }
    }
}
