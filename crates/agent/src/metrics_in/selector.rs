//! A metric's name with labels, as in PromQL: `haproxy_backend_http_responses_total{code="5xx"}`. Equality
//! alone.

/// A metric that is chosen on a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
}

impl Selector {
    /// Of its text; an error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, labels) = match text.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').ok_or_else(|| format!("{text}: a brace is missing"))?),
            None => (text, ""),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("{text}: {name:?} is no name of a metric"));
        }
        Ok(Self {
            name: name.to_owned(),
            labels: self::labels(labels).ok_or_else(|| format!("{text}: write name=\"value\""))?,
        })
    }

    /// Whether a sample is one of those that are chosen.
    pub(crate) fn fits(&self, name: &str, labels: &[(String, String)]) -> bool {
        self.name == name && self.labels.iter().all(|wanted| labels.contains(wanted))
    }
}

/// `name="value"` pairs between commas; `None` where they are none.
pub(crate) fn labels(text: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let (mut value, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in after.char_indices() {
            match c {
                _ if escaped => {
                    value.push(if c == 'n' { '\n' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                c => value.push(c),
            }
        }
        all.push((name.trim().to_owned(), value));
        rest = after.get(end? + 1..)?.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(all)
}

/// A name with labels, and further ones put to them.
pub(crate) fn with_labels(name: &str, more: &str) -> String {
    let more = more.trim().trim_end_matches(',');
    match name.strip_suffix('}') {
        _ if more.is_empty() => name.to_owned(),
        Some(open) if open.ends_with('{') => format!("{open}{more}}}"),
        Some(open) => format!("{open},{more}}}"),
        None => format!("{name}{{{more}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors() {
        let s = Selector::parse("x_total{code=\"5xx\", a=\"b\\\"c\"}").unwrap();
        let of = |labels: &[(&str, &str)]| {
            labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>()
        };
        assert!(s.fits("x_total", &of(&[("z", "1"), ("a", "b\"c"), ("code", "5xx")])));
        assert!(!s.fits("x_total", &of(&[("code", "5xx")])) && !s.fits("y", &s.labels));
        assert_eq!(Selector::parse("x").unwrap().labels, []);
        for wrong in ["", "x{", "x y", "{a=\"b\"}", "x{a=b}", "x{a=\"b}", "x{a=\"b\" c=\"d\"}"] {
            assert!(Selector::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(with_labels("a", "b=\"c\""), "a{b=\"c\"}");
        assert_eq!(with_labels("a{x=\"y\"}", "b=\"c\","), "a{x=\"y\",b=\"c\"}");
        assert_eq!(with_labels("a", ""), "a");
    }
}
